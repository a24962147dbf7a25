//! Profiles (`auth.profile`): what other systems' clients, statuses, words and variables are, each as a file of the same keys
//! that a configuration has. A profile stands between the defaults and the configuration, which overrides every value of it.
//! No code asks which profile it is.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::de::DeTable;

use super::environment::Environment;

const PROFILES: [(&str, &str); 3] = [
    ("ravyn", include_str!("profiles/ravyn.toml")),
    ("auth-jwt", include_str!("profiles/auth-jwt.toml")),
    ("zentra", include_str!("profiles/zentra.toml")),
];

/// Returns the names of all, in the order of the documents.
pub(super) fn names() -> [&'static str; 3] {
    PROFILES.map(|(name, _)| name)
}

/// A profile that was chosen, read.
pub(super) struct Profile {
    pub name: &'static str,
    pub table: DeTable<'static>,
    /// What variables of the other system's deployments say, by the path of the key.
    pub variables: BTreeMap<String, Variable>,
}

/// A variable that is set, as the text of a key.
pub(super) struct Variable {
    pub name: String,
    pub text: String,
}

/// How a variable of the other system becomes the value of a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    /// Put behind a number without one.
    #[serde(default)]
    unit: String,
    /// The variable with the name of the database that a URL leaves out.
    #[serde(default)]
    database: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    environment: BTreeMap<String, Rule>,
}

impl Profile {
    /// Returns the profile of that name with what `environment` has set of its variables.
    pub(super) fn find(name: &str, environment: &Environment) -> Option<Self> {
        let (name, text) = PROFILES.into_iter().find(|(known, _)| *known == name)?;
        let file: File = toml::from_str(text).expect("a profile is part of the program, and tests read each");
        let table = DeTable::parse(text).expect("it was read a line ago").into_inner();
        let variables = file.environment.into_iter().filter_map(|(path, rule)| Some((path, rule.read(environment)?)));
        Some(Self { name, table, variables: variables.collect() })
    }
}

impl Rule {
    fn read(self, environment: &Environment) -> Option<Variable> {
        let value = environment.get(&self.name)?.trim();
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let mut text = value.to_owned();
        if is_number {
            text.push_str(&self.unit);
        }
        if let Some(database) = environment.get(&self.database).filter(|_| !self.database.is_empty()) {
            text = with_database(&text, database);
        }
        Some(Variable { name: self.name, text })
    }
}

/// Returns a connection string for `database`. What a URL names as its own is then where its user is known, `admin` if it names
/// none: drivers that are given a database beside the URL read it so.
fn with_database(url: &str, database: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (address, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, path) = address.split_once('/').unwrap_or((address, ""));
    let mut options: Vec<String> = options.split('&').filter(|option| !option.is_empty()).map(str::to_owned).collect();
    let names_source = options.iter().any(|option| option.to_ascii_lowercase().starts_with("authsource="));
    if hosts.contains('@') && !names_source {
        options.push(format!("authSource={}", if path.is_empty() { "admin" } else { path }));
    }
    let options = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
    format!("{scheme}://{hosts}/{database}{options}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_can_be_read() {
        for name in names() {
            assert!(Profile::find(name, &Environment::default()).is_some_and(|profile| profile.name == name), "{name}");
        }
        assert!(Profile::find("other", &Environment::default()).is_none());
    }

    #[test]
    fn a_number_gets_its_unit_and_a_url_its_database() {
        let set = [
            ("ACCESS_TOKEN_EXPIRE_MINUTES", "30"),
            ("MONGO_URI", "mongodb://a,b/?replicaSet=rs0"),
            ("MONGO_DB_NAME", "app"),
        ];
        let environment = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let profile = Profile::find("auth-jwt", &environment).unwrap();
        assert_eq!(profile.variables["auth.access_ttl"].text, "30m");
        assert_eq!(profile.variables["store.url"].text, "mongodb://a,b/app?replicaSet=rs0");
        assert!(!profile.variables.contains_key("auth.refresh_ttl"));
    }

    #[test]
    fn the_named_database_is_used_and_the_urls_own_says_where_its_user_is_known() {
        for (url, whole) in [
            ("mongodb://a", "mongodb://a/app"),
            ("mongodb://a/own?w=1", "mongodb://a/app?w=1"),
            ("mongodb://u:p@a/own", "mongodb://u:p@a/app?authSource=own"),
            ("mongodb://u:p@a,b", "mongodb://u:p@a,b/app?authSource=admin"),
            ("mongodb://u:p@a/?authsource=x&w=1", "mongodb://u:p@a/app?authsource=x&w=1"),
            ("x", "x"),
        ] {
            assert_eq!(with_database(url, "app"), whole);
        }
    }
}
