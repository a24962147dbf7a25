//! Rates as the configuration writes them: `10/m`.

use std::fmt;
use std::time::Duration;

/// `10/m`: so many per so long; the burst is the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: Duration,
}

const UNITS: [(&str, Duration); 4] = [
    ("s", Duration::from_secs(1)),
    ("m", Duration::from_mins(1)),
    ("h", Duration::from_hours(1)),
    ("d", Duration::from_hours(24)),
];

impl Rate {
    /// Returns the rate that `text` spells: a count from 1, `/`, and `s`, `m`, `h` or `d`.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        let (_, per) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        let is_plain = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|count| is_plain && *count > 0)?;
        Some(Self { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.into_iter().find(|(_, per)| *per == self.per) {
            Some((unit, _)) => write!(out, "{}/{unit}", self.count),
            None => write!(out, "{}/{}s", self.count, self.per.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_per_second_minute_hour_or_day_and_is_written_as_it_was_read() {
        let table = [("200/s", 200, 1), ("10/m", 10, 60), ("100/h", 100, 3600), ("1/d", 1, 86_400)];
        for (text, count, secs) in table {
            let rate = Rate { count, per: Duration::from_secs(secs) };
            assert_eq!(Rate::parse(text), Some(rate));
            assert_eq!(rate.to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_no_rate() {
        for text in
            ["", "10", "/m", "10/", "0/m", "-1/m", "+1/m", "1.5/m", "10/M", "10/min", "10 /m", "10/m ", "4294967296/s"]
        {
            assert_eq!(Rate::parse(text), None, "{text:?}");
        }
    }
}
