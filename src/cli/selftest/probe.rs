//! One attack and how its outcome is judged. Without an app that shows what it receives, an attack has failed when the answer is
//! not what it was after: statuses decide, and where bodies are known, they.

use super::answer::Answer;
use super::paths::may_be_read_as;
use super::site::{Draft, Site};
use super::wire::{Reply, Until};

/// What a probe is about; the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Basics,
    Credentials,
    Headers,
    Paths,
    Hosts,
    Methods,
    Framing,
    Endpoints,
    Sessions,
}

impl Family {
    pub fn name(self) -> &'static str {
        match self {
            Self::Basics => "basics",
            Self::Credentials => "credentials",
            Self::Headers => "headers",
            Self::Paths => "paths",
            Self::Hosts => "hosts",
            Self::Methods => "methods",
            Self::Framing => "framing",
            Self::Endpoints => "endpoints",
            Self::Sessions => "sessions",
        }
    }
}

pub struct Probe {
    pub family: Family,
    pub name: String,
    pub request: Vec<u8>,
    pub expect: Expect,
}

/// What must come of a probe.
pub enum Expect {
    /// Somebody without a credential does not get what is protected.
    NotReached,
    /// The same, where only the content tells: another path may well be another page.
    OtherContent,
    /// One of these statuses, or a closed connection.
    Refused(&'static [u16]),
    /// The same, and nothing more is read from the connection.
    RefusedForGood(&'static [u16]),
    /// 401 with a challenge that names this error, or none.
    Challenge(Option<&'static str>),
    /// One of these statuses from an endpoint of ours, with what our answers carry.
    Own(&'static [u16]),
    /// None of these values reaches the app behind.
    Unseen(Vec<(String, String)>),
    /// The app behind is shown this, in whatever case.
    Seen(String),
    /// The caller gets through.
    Passes,
    /// The answer is a success that doesn't contain this.
    Lacks(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed(String),
    Failed(String),
    Skipped(String),
}

use Verdict::{Failed, Passed, Skipped};

/// Bodies that are known beforehand; two hundred that is one of the harmless ones is no breach.
#[derive(Debug, Default)]
pub struct Baseline {
    /// What a caller who may see the protected path gets there.
    pub content: Option<Vec<u8>>,
    /// What everybody gets: the public page, and a page that does not exist.
    pub harmless: Vec<Vec<u8>>,
}

impl Baseline {
    fn is_content(&self, answer: &Answer) -> bool {
        self.content.as_deref() == Some(&answer.body[..]) && !self.harmless.contains(&answer.body)
    }
}

impl Probe {
    pub fn new(family: Family, name: impl Into<String>, draft: &Draft, expect: Expect) -> Self {
        Self { family, name: name.into(), request: draft.bytes(), expect }
    }

    pub fn until(&self) -> Until {
        match self.expect {
            Expect::RefusedForGood(_) => Until::Closed,
            _ if self.request.starts_with(b"HEAD ") => Until::AnsweredHead,
            _ => Until::Answered,
        }
    }

    pub fn judge(&self, site: &Site, baseline: &Baseline, reply: &Reply) -> Verdict {
        let answer = match reply {
            Reply::Silence => return Failed("neither an answer nor an end within 5 seconds".to_owned()),
            Reply::Closed => {
                return match self.expect {
                    Expect::NotReached
                    | Expect::OtherContent
                    | Expect::Refused(_)
                    | Expect::RefusedForGood(_)
                    | Expect::Unseen(_) => Passed("closed without an answer".to_owned()),
                    _ => Failed("closed without an answer".to_owned()),
                };
            }
            Reply::Answer(answer) => answer,
        };
        if answer.status == 429 {
            return Skipped("429: the gateway limits how often this client may ask".to_owned());
        }
        match &self.expect {
            Expect::NotReached => judge_reach(site, baseline, answer),
            Expect::OtherContent => judge_content(site, baseline, answer),
            Expect::Refused(statuses) => one_of(answer, statuses),
            Expect::RefusedForGood(statuses) => judge_end(answer, statuses),
            Expect::Challenge(error) => judge_challenge(answer, *error),
            Expect::Own(statuses) => judge_own(answer, statuses),
            Expect::Unseen(forged) => judge_unseen(answer, forged),
            Expect::Seen(text) => judge_seen(answer, text),
            Expect::Passes => judge_passage(answer),
            Expect::Lacks(text) => judge_lack(answer, text),
        }
    }
}

fn judge_reach(site: &Site, baseline: &Baseline, answer: &Answer) -> Verdict {
    let status = answer.status;
    if !answer.is_success() {
        return Passed(status.to_string());
    }
    if site.is_echo {
        return judge_shown(answer, site.protected.as_deref().unwrap_or_default());
    }
    if baseline.is_content(answer) {
        return Failed(format!("{status} with the protected content"));
    }
    if baseline.harmless.contains(&answer.body) {
        return Passed(format!("{status}, with what everybody gets"));
    }
    Failed(format!("{status} to somebody without a credential"))
}

fn judge_content(site: &Site, baseline: &Baseline, answer: &Answer) -> Verdict {
    if !answer.is_success() {
        return Passed(answer.status.to_string());
    }
    if site.is_echo || baseline.content.is_none() {
        return Skipped(format!("{}; only --email, and an app with content of its own, can tell which", answer.status));
    }
    if baseline.is_content(answer) {
        return Failed(format!(
            "{} with the protected content: the app reads this path as the same one",
            answer.status
        ));
    }
    Passed(format!("{}, with other content", answer.status))
}

fn judge_shown(answer: &Answer, protected: &str) -> Verdict {
    let status = answer.status;
    let Some(path) = shown_path(&answer.text()) else {
        return Skipped(format!("{status}, and the app doesn't show which path it was asked for"));
    };
    let text = format!("{status}, and the app was asked for {path}");
    if may_be_read_as(&path, protected) { Failed(text) } else { Passed(text) }
}

/// Returns the path that an app shows: in a request line, or as a member of a JSON object.
fn shown_path(text: &str) -> Option<String> {
    if let Ok(shown) = serde_json::from_str::<serde_json::Value>(text) {
        let mut members = ["target", "path", "uri", "url", "originalUrl"].iter().filter_map(|name| shown.get(name));
        return members.find_map(|path| path.as_str()).map(str::to_owned);
    }
    let mut lines = text.lines().filter_map(|line| {
        let (before, _) = line.split_once(" HTTP/")?;
        before.split(' ').find(|word| word.starts_with('/'))
    });
    lines.next().map(str::to_owned)
}

fn one_of(answer: &Answer, statuses: &[u16]) -> Verdict {
    let status = answer.status;
    if statuses.contains(&status) {
        Passed(status.to_string())
    } else {
        Failed(format!("{status}, expected {}", list(statuses)))
    }
}

fn list(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

fn judge_end(answer: &Answer, statuses: &[u16]) -> Verdict {
    let verdict = one_of(answer, statuses);
    if let Failed(_) = verdict {
        return verdict;
    }
    if answer.has_second {
        return Failed(format!("{}, but what followed was answered as a request of its own", answer.status));
    }
    if !answer.is_closed {
        return Failed(format!("{}, but the connection stays open", answer.status));
    }
    Passed(format!("{} and closed", answer.status))
}

fn judge_challenge(answer: &Answer, error: Option<&str>) -> Verdict {
    if answer.status != 401 {
        return Failed(format!("{}, expected 401", answer.status));
    }
    let Some(challenge) = answer.field("www-authenticate") else {
        return Failed("401 without WWW-Authenticate".to_owned());
    };
    match error {
        Some(error) if !challenge.contains(error) => Failed(format!("401, but the challenge doesn't say {error}")),
        None if challenge.contains("error=") => {
            Failed("401, but the challenge names an error, and there was no token".to_owned())
        }
        Some(_) | None => Passed(format!("401, {challenge}")),
    }
}

fn judge_own(answer: &Answer, statuses: &[u16]) -> Verdict {
    let verdict = one_of(answer, statuses);
    if let Failed(_) = verdict {
        return verdict;
    }
    let status = answer.status;
    if !answer.field("cache-control").is_some_and(|control| control.contains("no-store")) {
        return Failed(format!("{status}, but without Cache-Control: no-store"));
    }
    let (needed, name) = match status {
        401 => ("www-authenticate", "WWW-Authenticate"),
        405 => ("allow", "Allow"),
        _ => return verdict,
    };
    if answer.field(needed).is_some() { verdict } else { Failed(format!("{status} without {name}")) }
}

fn judge_unseen(answer: &Answer, forged: &[(String, String)]) -> Verdict {
    if !answer.is_success() {
        return match answer.status {
            400 | 431 => Passed(format!("{}, the request is refused", answer.status)),
            status => Skipped(format!("{status}, so the app shows nothing")),
        };
    }
    let text = answer.text();
    let arrived: Vec<&str> =
        forged.iter().filter(|(_, value)| text.contains(value.as_str())).map(|(name, _)| name.as_str()).collect();
    if arrived.is_empty() {
        return Passed(format!("{}, and the app saw none", answer.status));
    }
    Failed(format!("the app saw {}", arrived.join(", ")))
}

fn judge_seen(answer: &Answer, text: &str) -> Verdict {
    if !answer.is_success() {
        return Skipped(format!("{}, so the app shows nothing", answer.status));
    }
    let is_seen = answer.text().to_ascii_lowercase().contains(&text.to_ascii_lowercase());
    if is_seen { Passed(format!("the app saw {text}")) } else { Failed(format!("the app did not see {text}")) }
}

fn judge_passage(answer: &Answer) -> Verdict {
    match answer.status {
        403 => Skipped("403: this caller lacks a role or scope that the route demands".to_owned()),
        400 | 401 | 500.. => Failed(format!("{}, expected to get through", answer.status)),
        status => Passed(status.to_string()),
    }
}

fn judge_lack(answer: &Answer, text: &str) -> Verdict {
    if !answer.is_success() {
        return Failed(format!("{}, expected success", answer.status));
    }
    if answer.text().contains(text) {
        Failed(format!("the answer contains {text}"))
    } else {
        Passed(answer.status.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_that_an_app_shows_is_found_in_its_text_or_json() {
        for (text, expected) in [
            ("The app received:\n\nGET /a?b=1 HTTP/1.1\nhost: h\n", Some("/a?b=1")),
            (r#"{"method":"GET","target":"/a"}"#, Some("/a")),
            (r#"{"url":"/b"}"#, Some("/b")),
            ("<p>It works, says HTTP/1.1", None),
            ("[]", None),
        ] {
            assert_eq!(shown_path(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_success_is_a_breach_unless_everybody_gets_the_same() {
        let site = super::super::tests::site();
        let harmless = vec![b"home".to_vec()];
        let baseline = Baseline { content: Some(b"secret".to_vec()), harmless };
        let judge = |text: &str, expect: &Expect| {
            let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            let (answer, _) = Answer::read(bytes.as_bytes(), false, true).unwrap();
            match expect {
                Expect::OtherContent => judge_content(&site, &baseline, &answer),
                _ => judge_reach(&site, &baseline, &answer),
            }
        };
        assert!(matches!(judge("secret", &Expect::NotReached), Failed(_)));
        assert!(matches!(judge("else", &Expect::NotReached), Failed(_)));
        assert!(matches!(judge("home", &Expect::NotReached), Passed(_)));
        assert!(matches!(judge("secret", &Expect::OtherContent), Failed(_)));
        assert!(matches!(judge("else", &Expect::OtherContent), Passed(_)));
    }
}
