//! The configuration that `vestibule front URL` stands for, as the TOML text that says the same.

use std::fmt::Write as _;

/// What the command line of `vestibule front` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontOptions {
    pub url: String,
    pub public: Vec<String>,
    pub protect: Vec<String>,
    pub listen: Option<String>,
}

/// Returns the text; [`parse`](super::parse) judges it, so a wrong URL or path becomes a problem in it.
pub fn front(options: &FrontOptions) -> String {
    let mut text =
        String::from("# A sign-in gateway in front of one app. Every key is explained in config/README.md.\n");
    if let Some(listen) = &options.listen {
        section(&mut text, "[server]", &[("listen", &format!("[{}]", quote(listen)))]);
    }
    section(&mut text, "[tls]", &[("mode", "\"self-signed\"")]);
    section(&mut text, "[store]", &[("url", "\"sqlite:vestibule.db\"")]);
    section(&mut text, "[upstream.app]", &[("servers", &format!("[{}]", quote(&options.url)))]);
    let names_root = options.public.iter().chain(&options.protect).any(|path| path == "/");
    let root = (!names_root).then_some(("/", "\"protected\""));
    let public = options.public.iter().map(|path| (path.as_str(), "\"public\""));
    let protected = options.protect.iter().map(|path| (path.as_str(), "\"protected\""));
    for (path, access) in root.into_iter().chain(public).chain(protected) {
        section(&mut text, "[[route]]", &[("path", &quote(path)), ("access", access), ("upstream", "\"app\"")]);
    }
    text
}

fn section(text: &mut String, header: &str, keys: &[(&str, &str)]) {
    write!(text, "\n{header}\n").expect("writing to a string can't fail");
    for (key, value) in keys {
        writeln!(text, "{key} = {value}").expect("writing to a string can't fail");
    }
}

fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}
