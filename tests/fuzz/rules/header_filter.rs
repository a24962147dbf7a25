//! The headers of a request. The first line names configured identity headers, the second what may pass all the same, each
//! separated by commas; every further line is a field. Whatever spells an identity name must go, ordinary fields stay.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};
use vestibule::http::fields::{Fields, Line};
use vestibule::http::header::names::{
    HOP_BY_HOP, IDENTITY, IDENTITY_PREFIXES, NEVER_IN_TRAILERS, OVERRIDE_PREFIXES, OVERRIDES, REBUILT,
};
use vestibule::http::header::{IdentityFilter, remove_hop_by_hop};

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    let mut lines = data.split(|&byte| byte == b'\n');
    let (Some(configured), Some(allowed)) = (lines.next(), lines.next()) else { return None };
    let (configured, allowed) = (names(configured), names(allowed));
    let mut headers = HeaderMap::new();
    for line in lines.take(200) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let lists = Lists { configured: configured.iter().map(|name| fold(name.as_str())).collect(), allowed: &allowed };
    let filter = IdentityFilter::new(&configured, &allowed);
    let stripped = check_strip(&filter, &headers, &lists);
    check_trailers(&filter, &headers, &lists);
    check_hop_by_hop(&filter, &stripped);
    check_hop_by_hop(&filter, &headers);
    Some(())
}

struct Lists<'a> {
    configured: Vec<String>,
    allowed: &'a [HeaderName],
}

impl Lists<'_> {
    fn is_identity(&self, name: &str) -> bool {
        let folded = fold(name);
        IDENTITY.contains(&&*folded)
            || self.configured.contains(&folded)
            || IDENTITY_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
    }
}

/// Whether only an entry in the list of what is allowed lets the name pass.
fn is_suspect(name: &str) -> bool {
    let folded = fold(name);
    let is_rebuilt = REBUILT.contains(&name);
    let is_override =
        OVERRIDES.contains(&&*folded) || OVERRIDE_PREFIXES.iter().any(|prefix| folded.starts_with(prefix));
    !is_rebuilt && (is_override || name.contains(['_', '.']) || REBUILT.contains(&&*folded))
}

fn names(list: &[u8]) -> Vec<HeaderName> {
    list.split(|&byte| byte == b',').filter_map(|name| HeaderName::from_bytes(name).ok()).take(20).collect()
}

/// The name as an app reads it that knows only letters, digits and one separator.
fn fold(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }).collect()
}

fn check_strip(filter: &IdentityFilter, headers: &HeaderMap, lists: &Lists<'_>) -> HeaderMap {
    let left = stripped(filter, headers);
    for name in left.keys() {
        assert!(!lists.is_identity(name.as_str()), "{name} survived");
        if is_suspect(name.as_str()) {
            assert!(lists.allowed.contains(name), "{name} survived and is not allowed");
            assert_eq!(left.get_all(name).iter().count(), 1, "{name} survived twice");
        }
    }
    for name in headers.keys().filter(|name| !lists.is_identity(name.as_str()) && !is_suspect(name.as_str())) {
        assert!(headers.get_all(name).iter().eq(left.get_all(name).iter()), "{name} is ordinary and was touched");
    }
    assert_eq!(stripped(filter, &left), left);
    left
}

/// Returns them as a parser finds them: in letters of either case, each line of another form.
fn given(headers: &HeaderMap) -> Fields {
    let mut section = Vec::new();
    let mut places = Vec::new();
    for (at, (name, value)) in headers.iter().enumerate() {
        let name = if at % 2 == 0 { name.as_str().to_ascii_uppercase() } else { name.to_string() };
        let colon = if at % 3 == 0 { ":" } else { ": " };
        let start = section.len();
        section.extend_from_slice(&[name.as_bytes(), colon.as_bytes(), value.as_bytes(), b"\r\n"].concat());
        let value_at = start + name.len() + colon.len();
        places.push((start..start + name.len(), value_at..value_at + value.len()));
    }
    let line = |(name, value)| Line::of(section.as_ptr().addr(), &section[name], &section[value]);
    let lines = places.into_iter().map(line).collect();
    Fields::given(section.into(), lines)
}

fn stripped(filter: &IdentityFilter, headers: &HeaderMap) -> HeaderMap {
    let mut fields = given(headers);
    filter.strip(&mut fields);
    fields.into_map()
}

fn check_trailers(filter: &IdentityFilter, headers: &HeaderMap, lists: &Lists<'_>) {
    let mut trailers = headers.clone();
    filter.strip_trailers(&mut trailers);
    for name in trailers.keys() {
        let folded = fold(name.as_str());
        assert!(!lists.is_identity(name.as_str()), "{name} survived as a trailer");
        assert!(!NEVER_IN_TRAILERS.contains(&&*folded) && !HOP_BY_HOP.contains(&&*folded), "{name} is no trailer");
    }
}

/// No `Connection` field takes an identity header away, and none of what belongs to the connection stays.
fn check_hop_by_hop(filter: &IdentityFilter, before: &HeaderMap) {
    let mut fields = given(before);
    remove_hop_by_hop(&mut fields, &|name| filter.is_identity(name));
    let headers = fields.into_map();
    for name in before.keys().filter(|name| filter.is_identity(name.as_str().as_bytes())) {
        if !HOP_BY_HOP.contains(&name.as_str()) {
            assert!(before.get_all(name).iter().eq(headers.get_all(name).iter()), "{name} was taken away");
        }
    }
    for name in HOP_BY_HOP.iter().filter(|name| **name != "te") {
        assert!(!headers.contains_key(*name), "{name} stayed");
    }
    assert!(headers.get_all("te").iter().all(|value| value == "trailers"));
    let listed = before.get_all(CONNECTION).iter().flat_map(|field| field.as_bytes().split(|&byte| byte == b','));
    let listed: Vec<&[u8]> = listed.map(<[u8]>::trim_ascii).collect();
    for name in before.keys().filter(|name| !HOP_BY_HOP.contains(&name.as_str())) {
        let is_listed = listed.iter().any(|option| option.eq_ignore_ascii_case(name.as_str().as_bytes()));
        assert!(is_listed || headers.contains_key(name), "{name} went without being listed");
    }
}
