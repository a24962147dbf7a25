//! How single values are written: durations, sizes, rates, addresses, origins. Pure; a refusal may carry the way out.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::uri::Authority;

use crate::limit::bucket::Rate;

/// A value, or a hint how to write it.
pub(super) type Parsed<T> = Result<T, Option<String>>;

/// Scheme, host and port of an `http` or `https` URL, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    pub scheme: Scheme,
    /// Lower case; holds the port only if one was written.
    pub authority: Authority,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Origin {
    /// Returns the host name or address; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(out, "{scheme}://{}", self.authority)
    }
}

/// Longer spans than ten years are typing errors, and sums of them would leave the range of a timestamp.
const LONGEST: Duration = Duration::from_hours(3660 * 24);

pub(super) fn duration(text: &str) -> Parsed<Duration> {
    let (number, unit) = number_and_unit(text).ok_or(None)?;
    let Some(millis) = unit_millis(unit) else {
        return Err(unit.is_empty().then(|| format!("add the unit: `{number}s` for seconds")));
    };
    let span = number.checked_mul(millis).map(Duration::from_millis).filter(|span| *span <= LONGEST);
    span.ok_or_else(|| Some("the longest duration is 3660d".to_owned()))
}

fn unit_millis(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    })
}

pub(super) fn size(text: &str) -> Parsed<usize> {
    let (number, unit) = number_and_unit(text).ok_or(None)?;
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "" => return Err(Some(format!("add the unit: `{number}B` for bytes"))),
        _ => {
            let letter = unit.chars().next().map(|letter| letter.to_ascii_uppercase());
            let meant = letter.filter(|letter| "KMG".contains(*letter));
            return Err(meant.map(|letter| format!("write `{number}{letter}iB`")));
        }
    };
    number.checked_mul(factor).and_then(|bytes| usize::try_from(bytes).ok()).ok_or(None)
}

/// Returns how often per how long; the empty text is `None`: no limit.
pub(super) fn rate(text: &str) -> Parsed<Option<Rate>> {
    if text.is_empty() {
        return Ok(None);
    }
    let (count, unit) = text.split_once('/').ok_or(None)?;
    let count =
        count.parse().ok().filter(|count| *count > 0).ok_or_else(|| Some("`\"\"` switches a limit off".to_owned()))?;
    let per = unit_millis(unit).filter(|_| unit != "ms").map(Duration::from_millis).ok_or(None)?;
    Ok(Some(Rate { count, per }))
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    text.parse().map_err(|_| {
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port: u16 = port.parse().ok()?;
        match host {
            "" | "*" => {
                Some(format!("write `0.0.0.0:{port}` for every address, `127.0.0.1:{port}` for this machine alone"))
            }
            "localhost" => Some(format!("write `127.0.0.1:{port}`")),
            _ => None,
        }
    })
}

/// Returns the origin that `text` is; a path, query, fragment or user in it is refused.
pub(super) fn origin(text: &str) -> Parsed<Origin> {
    let lower = text.to_ascii_lowercase();
    let (scheme, rest) = if let Some(rest) = lower.strip_prefix("https://") {
        (Scheme::Https, rest)
    } else if let Some(rest) = lower.strip_prefix("http://") {
        (Scheme::Http, rest)
    } else {
        // Nothing is repeated that may hold a password.
        let is_a_host = !lower.is_empty() && !lower.contains("://") && !lower.contains('@');
        return Err(is_a_host.then(|| format!("write `http://{text}`")));
    };
    if rest.contains('@') {
        return Err(Some("leave the user name and password out".to_owned()));
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = authority(&rest[..end]).ok_or(None)?;
    let origin = Origin { scheme, authority };
    if end < rest.len() {
        return Err(Some(format!("nothing may follow the host and port: write `{origin}`")));
    }
    Ok(origin)
}

fn authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let port = text.strip_prefix(authority.host())?;
    let port_is_fine =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let host = authority.host();
    let host_is_fine = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    (port_is_fine && host_is_fine).then_some(authority)
}

/// Whether `text` is a token as RFC 9110 section 5.6.2 has it.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(duration("7d"), Ok(Duration::from_hours(168)));
        for wrong in
            ["", "s", "10", "10 s", "-1s", "1.5h", "99999999999999999999s", "3661d", "18446744073709551615d", "1w"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(duration("10").unwrap_err().as_deref(), Some("add the unit: `10s` for seconds"));
    }

    #[test]
    fn sizes_are_powers_of_two_with_their_unit() {
        assert_eq!(size("256KiB"), Ok(256 * 1024));
        assert_eq!(size("1MiB"), Ok(1 << 20));
        assert_eq!(size("10KB").unwrap_err().as_deref(), Some("write `10KiB`"));
        assert!(size("99999999999999999999GiB").is_err());
        assert!(size("18446744073709551615GiB").is_err());
    }

    #[test]
    fn rates_are_so_many_per_one_unit_of_time_or_off() {
        assert_eq!(rate("10/m"), Ok(Some(Rate { count: 10, per: Duration::from_mins(1) })));
        assert_eq!(rate(""), Ok(None));
        for wrong in ["0/m", "10", "10/ms", "10/", "/m", "-1/m", "10/2m", "99999999999/s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_without_a_host_is_refused_with_both_ways_to_write_it() {
        assert!(address("[::]:8443").is_ok());
        assert!(address(":8080").unwrap_err().is_some_and(|hint| hint.contains("`0.0.0.0:8080`")));
        assert!(address("8080").unwrap_err().is_some_and(|hint| hint.contains("`127.0.0.1:8080`")));
        assert_eq!(address("localhost:1").unwrap_err().as_deref(), Some("write `127.0.0.1:1`"));
        assert_eq!(address("example.com:1"), Err(None));
    }

    #[test]
    fn a_hint_repeats_no_password() {
        assert_eq!(origin("a.test"), Err(Some("write `http://a.test`".into())));
        assert_eq!(origin("user:password@a.test"), Err(None));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_alone() {
        assert_eq!(
            origin("HTTPS://App.Example.com").map(|origin| origin.to_string()),
            Ok("https://app.example.com".into())
        );
        assert_eq!(origin("http://[::1]:3000").map(|origin| origin.port()), Ok(3000));
        assert_eq!(origin("https://a").map(|origin| origin.port()), Ok(443));
        for wrong in [
            "",
            "a",
            "ftp://a",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a/",
            "http://a/x",
            "http://a?x",
            "http://a#x",
            "http://u@a",
            "http://u:p@a",
            "http://a b",
            "http://[::1",
            "http://a\\b",
            "http://a,b",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
