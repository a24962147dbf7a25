//! Where a link in a letter leads: a page of the app behind, on the public URL, with the token in its place.

const TOKEN: &str = "{token}";

/// A path that has `{token}` once, in its fragment, query or path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    before: String,
    after: String,
}

impl Link {
    /// Returns the link that `text` is; it begins at the root of the public URL and has no character that a URL has not.
    pub fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.split_once(TOKEN)?;
        let is_path = before.starts_with('/') && !before.starts_with("//");
        let rest = format!("{before}{after}");
        let is_url = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?#".contains(&byte));
        (is_path && is_url && rest.matches('#').count() <= 1)
            .then(|| Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// Returns the whole URL. A token has characters that need no escape.
    pub fn url(&self, origin: &str, token: &str) -> String {
        format!("{origin}{}{token}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stands_where_the_template_says() {
        for (template, url) in [
            ("/reset#token={token}", "https://a.example/reset#token=T"),
            ("/reset?token={token}", "https://a.example/reset?token=T"),
            ("/reset/{token}/", "https://a.example/reset/T/"),
        ] {
            let link = Link::parse(template).map(|link| link.url("https://a.example", "T"));
            assert_eq!(link.as_deref(), Some(url));
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_link() {
        for wrong in [
            "",
            "/reset",
            "reset?token={token}",
            "//evil.example/{token}",
            "https://evil.example/{token}",
            "{token}",
            ".evil.example/{token}",
            "/{token}{token}",
            "/a b?{token}",
            "/a\n{token}",
            "/\"><b>{token}",
            "/\\evil.example/{token}",
            "/#a#{token}",
        ] {
            assert_eq!(Link::parse(wrong), None, "{wrong}");
        }
    }
}
