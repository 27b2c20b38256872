//! A key that never shows: not in debug output, not in an error, not in a reply that echoes it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Reply, failure::Failure, wire::Answer};
use crate::base::Error;

/// What stands in a key's place.
const HIDDEN: &str = "[secret]";

/// Texts shorter than this are words ("none", "EMPTY"), which hiding would only garble.
const SHORTEST: usize = 6;

/// A key.
#[derive(Clone)]
pub struct Secret {
    key: String,
    /// Finds it, however it is written; none when it is too short to be hidden.
    finder: Option<Arc<AhoCorasick>>,
}

impl Secret {
    /// A key as it stands in a variable: the line end that often trails it is dropped.
    pub fn new(text: impl AsRef<str>) -> Secret {
        let key = text.as_ref().trim().to_string();
        let finder = if key.len() < SHORTEST { None } else { finder(&forms(&key)) };
        Secret { key, finder }
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.key.is_empty()
    }

    /// Whether more than a key seems to be there: quotation marks around it, `Bearer`, a comment.
    pub fn has_more(&self) -> bool {
        let quotes = ['"', '\'', '`'];
        self.key.contains([' ', '\t']) || self.key.starts_with(quotes) || self.key.ends_with(quotes)
    }

    /// The key itself, for the one place that sends it.
    pub(super) fn expose(&self) -> &str {
        &self.key
    }

    /// A text without the key, in whatever form it stands there.
    pub fn redact(&self, text: &str) -> String {
        match &self.finder {
            Some(finder) => finder.replace_all(text, &vec![HIDDEN; finder.patterns_len()]),
            None => text.to_string(),
        }
    }

    /// An error without the key.
    pub fn redact_error(&self, error: Error) -> Error {
        error.map_texts(|text| self.redact(text))
    }

    /// What came of an attempt, without its key, if it has one.
    pub(super) fn redact_result(
        key: Option<&Secret>,
        result: Result<Reply, Failure>,
    ) -> Result<Reply, Failure> {
        match key {
            Some(key) => {
                result.map(|reply| key.redact_reply(reply)).map_err(|fault| key.redact_failure(fault))
            }
            None => result,
        }
    }

    /// What a server sent, before it is read: an error repeats only the beginning of a long text, which
    /// must not end within a key.
    pub(super) fn redact_answer(&self, mut answer: Answer) -> Answer {
        self.hide_in(&mut answer.body);
        answer
    }

    /// Most texts hold no key, and are not copied.
    fn hide_in(&self, text: &mut String) {
        if self.finder.as_ref().is_some_and(|finder| finder.is_match(text.as_str())) {
            *text = self.redact(text);
        }
    }

    pub(super) fn redact_failure(&self, failure: Failure) -> Failure {
        Failure { error: self.redact_error(failure.error), ..failure }
    }

    pub(super) fn redact_reply(&self, mut reply: Reply) -> Reply {
        let texts = [&mut reply.content, &mut reply.model, &mut reply.finish_reason];
        texts.into_iter().chain(&mut reply.reasoning).for_each(|text| self.hide_in(text));
        reply
    }
}

/// One pass over a text for all forms; of those that begin alike the longest.
fn finder(forms: &BTreeSet<String>) -> Option<Arc<AhoCorasick>> {
    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(forms).ok().map(Arc::new)
}

/// How a key may be written by a server that echoes it, or by a tool that logs it.
fn forms(key: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([key.to_string()]);
    forms.extend(in_base64(key));
    forms.extend(in_a_url(key));
    forms.extend(in_json(key));
    forms.extend(in_html(key));
    forms
}

/// In both alphabets: alone with its padding, and what any longer text that holds the key (such as
/// `Bearer KEY` or `KEY:`) has in common, which depends on where in a group of three bytes it begins.
fn in_base64(key: &str) -> Vec<String> {
    let mut all = Vec::new();
    for alphabet in [STANDARD, URL_SAFE] {
        all.push(alphabet.encode(key));
        for before in 0..3 {
            let text = [&b"\0\0"[..before], key.as_bytes()].concat();
            // The characters whose six bits are all the key's.
            let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
            all.push(alphabet.encode(&text)[from..to].to_string());
        }
    }
    all
}

/// As the usual encoders write it: they differ in what they leave as it is, and in the case of the digits.
fn in_a_url(key: &str) -> impl Iterator<Item = String> + '_ {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
    const COMPONENT: &AsciiSet =
        &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
    const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'&').add(b'+');
    [NON_ALPHANUMERIC, UNRESERVED, PATH, COMPONENT, QUERY].into_iter().flat_map(move |set| {
        let upper = utf8_percent_encode(key, set).to_string();
        [lower_digits(&upper), upper.replace("%20", "+"), upper]
    })
}

/// `%2B` as `%2b`.
fn lower_digits(encoded: &str) -> String {
    let mut left = 0;
    let lower = |c: char| {
        left = if c == '%' { 3 } else { left };
        let digit = left > 0;
        left = if digit { left - 1 } else { 0 };
        if digit { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

/// Escaped as JSON must be, and as careful writers do it: `/`, and what means something in HTML.
fn in_json(key: &str) -> impl Iterator<Item = String> {
    let quoted = Value::from(key).to_string();
    let plain = quoted[1..quoted.len() - 1].to_string();
    let careful = [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\'', "\\u0027"),
        ('=', "\\u003d"),
        ('+', "\\u002b"),
    ];
    let careful =
        |most: usize| careful[..most].iter().fold(plain.clone(), |text, (c, to)| text.replace(*c, to));
    [careful(3), careful(4), careful(5), careful(6), plain.replace('/', "\\/"), plain.clone()].into_iter()
}

fn in_html(key: &str) -> impl Iterator<Item = String> {
    let plain = key.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quoted = plain.replace('"', "&quot;");
    [quoted.replace('\'', "&#39;"), quoted.replace('\'', "&#x27;"), plain.replace('"', "&#34;"), quoted]
        .into_iter()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Kind;

    #[test]
    fn a_key_does_not_show() {
        let key = Secret::new("sk-canary\n");
        assert_eq!(format!("{key} {key:?}"), "[secret] [secret]");
        let error = Error::new(Kind::Server, "bad sk-canary").hint("not sk-canary").raw("sk-canary!");
        let clean = key.redact_error(error);
        assert!(!format!("{clean:?}").contains("canary"));
        assert_eq!(clean.message(), "bad [secret]");
    }

    /// With every character that some encoder changes.
    const ODD: &str = "sk+canary/4711=a&b\"c<d>e'f g%h";

    fn leaks(text: &str) -> bool {
        let clean = Secret::new(ODD).redact(text);
        let hidden = clean.contains(HIDDEN);
        !hidden || forms(ODD).iter().any(|form| clean.contains(form)) || clean.contains("canary")
    }

    #[test]
    fn a_key_is_hidden_in_every_form() {
        for text in [
            ODD,
            "sk%2Bcanary%2F4711%3Da%26b%22c%3Cd%3Ee%27f%20g%25h",
            "sk%2bcanary%2f4711%3da%26b%22c%3cd%3ee%27f%20g%25h",
            "sk%2Bcanary%2F4711%3Da%26b%22c%3Cd%3Ee%27f+g%25h",
            "sk%2Bcanary/4711%3Da%26b%22c%3Cd%3Ee%27f%20g%25h",
            "sk%2Bcanary%2F4711%3Da%26b%22c%3Cd%3Ee'f%20g%25h",
            r#"sk+canary/4711=a&b\"c<d>e'f g%h"#,
            r#"sk+canary\/4711=a&b\"c<d>e'f g%h"#,
            r#"sk+canary/4711=a\u0026b\"c\u003cd\u003ee'f g%h"#,
            "sk+canary/4711=a&amp;b&quot;c&lt;d&gt;e&#39;f g%h",
        ] {
            assert!(!leaks(&format!("before {text} after")), "{text}");
        }
    }

    #[test]
    fn a_key_is_hidden_in_base64() {
        use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
        for key in [ODD, "sk-canary-4711", "\u{fb}\u{ff}\u{fe}?>~canary"] {
            let secret = Secret::new(key);
            for whole in [key.to_string(), format!("Bearer {key}"), format!("{key}:"), format!("u:{key}\n")] {
                let encoded = [
                    STANDARD.encode(&whole),
                    URL_SAFE.encode(&whole),
                    STANDARD_NO_PAD.encode(&whole),
                    URL_SAFE_NO_PAD.encode(&whole),
                ];
                for text in encoded {
                    let clean = secret.redact(&format!("\"{text}\""));
                    let left = clean.replace(HIDDEN, "");
                    // What is left beside the key: at most its neighbours and one shared character each.
                    assert!(clean.contains(HIDDEN) && left.len() <= whole.len() - key.len() + 14, "{clean}");
                }
            }
        }
    }

    #[test]
    fn a_reply_is_clean_in_all_its_fields() {
        let encoded = STANDARD.encode(ODD);
        let reply = Reply {
            outcome: crate::llm::Outcome::Ok,
            content: format!("it is {ODD}"),
            reasoning: Some(format!("hm {encoded}")),
            model: encoded.clone(),
            usage: Default::default(),
            finish_reason: ODD.into(),
            cost: None,
            attempts: 1,
        };
        let clean = Secret::new(ODD).redact_reply(reply);
        assert_eq!((clean.content.as_str(), clean.model.as_str()), ("it is [secret]", HIDDEN));
        assert_eq!((clean.reasoning.as_deref(), clean.finish_reason.as_str()), (Some("hm [secret]"), HIDDEN));
    }

    #[test]
    fn words_are_not_hidden() {
        assert_eq!(Secret::new("none").redact("none of these"), "none of these");
    }
}
