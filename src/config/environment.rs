//! The environment variables of one moment, and where a text points elsewhere: `env:NAME`, `file:PATH`, `base64:…`.
//! Contents of variables and files never enter a problem: they may be secrets in the wrong place.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::text::Parsed;

/// Variables by name, captured once so that a configuration is read against one state of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Returns the variables of this process whose names and values are UTF-8.
    pub fn capture() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// Returns what is left without the variables that override keys.
    pub(super) fn without_overrides(&self) -> Self {
        let ours: Vec<&str> = self.overrides().collect();
        Self(
            self.0
                .iter()
                .filter(|(name, _)| !ours.contains(&name.as_str()))
                .map(|(a, b)| (a.clone(), b.clone()))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the names that are meant for us: `VESTIBULE_<SECTION>__<KEY>`.
    pub(super) fn overrides(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|name| name.strip_prefix(PREFIX).is_some_and(|rest| rest.contains("__")))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Values are left out: any of them may be a secret.
impl fmt::Debug for Environment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

const PREFIX: &str = "VESTIBULE_";

/// Returns the variable that overrides the key at `path`, such as `VESTIBULE_AUTH__ACCESS_TTL`.
pub(super) fn variable_for(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").replace('-', "_").to_uppercase())
}

/// Files beyond this are no values of a configuration; the bound keeps `file:/dev/zero` from filling the memory.
const LARGEST_FILE: u64 = 64 * 1024;

/// Why an indirection leads nowhere, in words that hold no content.
pub(super) struct Unresolved {
    pub found: String,
    pub expected: &'static str,
}

/// Returns the bytes that `text` stands for, or `None` if it is a plain text and stands for itself.
pub(super) fn resolve(text: &str, environment: &Environment) -> Result<Option<Vec<u8>>, Unresolved> {
    if let Some(name) = text.strip_prefix("env:") {
        let Some(value) = environment.get(name) else {
            return Err(Unresolved {
                found: format!("`env:{name}`, which is not set"),
                expected: "an environment variable",
            });
        };
        return Ok(Some(value.as_bytes().to_vec()));
    }
    let Some(path) = text.strip_prefix("file:") else { return Ok(None) };
    let expected = "a readable file of at most 64 KiB";
    let unreadable = |reason: String| Unresolved { found: format!("`file:{path}`: {reason}"), expected };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(unreadable("larger than that".to_owned()));
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    Ok(Some(bytes))
}

/// Returns the bytes that a plain text means: those after `base64:`, else its own.
pub(super) fn plain_bytes(text: &str) -> Parsed<Vec<u8>> {
    let Some(encoded) = text.strip_prefix("base64:") else { return Ok(text.as_bytes().to_vec()) };
    STANDARD
        .decode(encoded)
        .map_err(|_| Some("what follows `base64:` is not base64 (RFC 4648 section 4, padded)".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_trimmed_from_a_file_and_no_more() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (content, value) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a ", "a "), ("", "")] {
            std::fs::write(file.path(), content).unwrap();
            let bytes = resolve(&format!("file:{}", file.path().display()), &Environment::default()).ok().flatten();
            assert_eq!(bytes.as_deref(), Some(value.as_bytes()), "{content:?}");
        }
    }

    #[test]
    fn an_endless_file_is_refused() {
        assert!(resolve("file:/dev/zero", &Environment::default()).is_err_and(|error| error.found.contains("larger")));
    }

    #[test]
    fn debug_output_of_an_environment_holds_names_alone() {
        let environment: Environment = [("A".to_owned(), "hunter2".to_owned())].into_iter().collect();
        assert_eq!(format!("{environment:?}"), r#"{"A"}"#);
    }

    #[test]
    fn dots_become_double_underscores_and_dashes_single_ones() {
        assert_eq!(variable_for("upstream.my-app.retries"), "VESTIBULE_UPSTREAM__MY_APP__RETRIES");
    }
}
