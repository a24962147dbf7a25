//! A file of ours as tokens with their lines, so that comments and texts can't be taken for code; and which of it is tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[derive(Clone, Debug)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

#[derive(Debug)]
pub struct Source {
    /// From the repository's root, such as `src/gateway/mod.rs`.
    pub path: String,
    pub text: String,
    /// All of the file.
    pub all: Vec<Token>,
    /// Without what is compiled for tests only; empty if that is the whole file.
    pub shipped: Vec<Token>,
    test_modules: Vec<String>,
}

/// Returns the path of a file of the repository.
pub fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns the text of a file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the paths of all files below a folder of the repository whose names end so.
pub fn files_below(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.expect("a folder that opened can be read");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns every Rust file of `src` and `tests`; those that are tests have nothing shipped.
pub fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(read_sources)
}

fn read_sources() -> Vec<Source> {
    let mut sources: Vec<Source> =
        ["src", "tests"].iter().flat_map(|folder| files_below(folder, ".rs")).map(Source::read).collect();
    assert!(sources.len() > 100, "only {} Rust files found", sources.len());
    let modules: Vec<String> = sources.iter().flat_map(|source| source.test_modules.clone()).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        let is_test = |module: &String| {
            stem.strip_prefix(module.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if source.path.starts_with("tests/") || modules.iter().any(is_test) {
            source.shipped.clear();
        }
    }
    sources
}

impl Source {
    fn read(path: String) -> Self {
        let text = read(&path);
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut source = Self { path, text, all: Vec::new(), shipped: Vec::new(), test_modules: Vec::new() };
        flatten(stream.clone(), &mut source.all);
        let shipped = source.without_tests(stream);
        flatten(shipped, &mut source.shipped);
        source
    }

    /// Returns the room: the first step below `src`.
    pub fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let room = below.split('/').next()?.trim_end_matches(".rs");
        (!matches!(room, "lib" | "main")).then_some(room)
    }

    /// Returns how many `super` lead from this file's module to the crate's root.
    pub fn depth(&self) -> usize {
        let below = self.path.trim_start_matches("src/").trim_end_matches("mod.rs").trim_end_matches(".rs");
        below.trim_end_matches('/').split('/').count()
    }

    /// Takes out each item under `#[cfg(test)]`, remembering the modules that live in files of their own.
    fn without_tests(&mut self, stream: TokenStream) -> TokenStream {
        let mut kept = Vec::new();
        let mut rest = stream.into_iter().peekable();
        while let Some(tree) = rest.next() {
            let is_marked = matches!(rest.peek(), Some(TokenTree::Group(group)) if is_test_mark(&group.stream()));
            if !(is_punct(&tree, '#') && is_marked) {
                kept.push(tree);
                continue;
            }
            let mut item = Vec::new();
            for tree in rest.by_ref() {
                let is_end = is_punct(&tree, ';')
                    || matches!(&tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                item.push(tree);
                if is_end {
                    break;
                }
            }
            self.remember_module(&item);
        }
        kept.into_iter().collect()
    }

    fn remember_module(&mut self, item: &[TokenTree]) {
        let [.., keyword, name, end] = item else { return };
        if keyword.to_string() == "mod" && is_punct(end, ';') {
            let folder = self.path.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches('/');
            self.test_modules.push(format!("{folder}/{name}"));
            let attributes: String = item.iter().map(ToString::to_string).collect();
            if let Some((_, path)) = attributes.split_once("path = \"") {
                let file = path.split(".rs").next().unwrap_or_default();
                let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                self.test_modules.push(format!("{folder}/{file}"));
            }
        }
    }
}

fn is_punct(tree: &TokenTree, sign: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn is_test_mark(attribute: &TokenStream) -> bool {
    attribute.to_string().replace(' ', "") == "cfg(test)"
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let TokenTree::Group(group) = tree else {
            out.push(Token { text: tree.to_string(), line });
            continue;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        out.push(Token { text: open.to_owned(), line });
        let last = group.span_close().start().line;
        flatten(group.stream(), out);
        out.push(Token { text: close.to_owned(), line: last });
    }
}
