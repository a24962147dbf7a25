//! `[cors]`: whose scripts may read what we answer.

use http::HeaderValue;

use crate::config::document::Fault;
use crate::config::section::Section;
use crate::config::text::{self, Origin, Parsed};
use crate::http::cors::Origins;

const EVERYBODY: &str = "*";

/// Returns `None` where no origin is named.
pub(super) fn cors(section: &Section<'_>) -> Option<Origins> {
    let mut origins = Vec::new();
    let expected = "an origin such as \"https://app.example.com\", or \"*\" alone";
    let places = section.list("origins", &mut origins, expected, origin);
    let everybody = origins.iter().position(|origin| origin == EVERYBODY);
    if let Some(place) = everybody.filter(|_| origins.len() > 1) {
        let hint = Some("leave the others out, or `*`".to_owned());
        section.refuse_item(
            "origins",
            places.get(place),
            Fault::new("`*` beside other origins", "`*` alone").hint(hint),
        );
    }
    match (everybody, origins.is_empty()) {
        (Some(_), _) => Some(Origins::Any),
        (None, true) => None,
        (None, false) => Some(Origins::These(origins)),
    }
}

/// Returns the origin as browsers write it: without the port that its scheme has anyway.
fn origin(text: &str) -> Parsed<HeaderValue> {
    let written = if text == EVERYBODY { EVERYBODY.to_owned() } else { as_browsers_write(&text::origin(text)?) };
    HeaderValue::from_str(&written).map_err(|_| None)
}

fn as_browsers_write(origin: &Origin) -> String {
    let with_port = origin.to_string();
    let is_usual = matches!((origin.scheme, origin.port()), (text::Scheme::Http, 80) | (text::Scheme::Https, 443));
    match with_port.strip_suffix(&format!(":{}", origin.port())).filter(|_| is_usual) {
        Some(without) => without.to_owned(),
        None => with_port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_held_as_a_browser_sends_it() {
        for (written, sent) in [
            ("https://App.example.com", "https://app.example.com"),
            ("https://a:443", "https://a"),
            ("http://a:80", "http://a"),
            ("http://a:443", "http://a:443"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("*", "*"),
        ] {
            assert_eq!(origin(written).unwrap(), sent);
        }
        for wrong in ["null", "https://a/", "https://*.example.com", "a", ""] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
