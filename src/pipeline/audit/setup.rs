//! What an audit is told: options, and what is made of them once.

use rustc_hash::FxHashSet;
use whatlang::Lang;

use super::gates::Limits;
use super::leaks::SYSTEM_RUN;
use super::lexicon::Lexicon;
use super::maximal::holds;
use super::words::{Said, sequence, words};
use super::{language, lists};
use crate::base::{Error, Kind, Result};

/// What an audit may be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The limits of the gates.
    pub limits: Limits,
    /// How few and how many words a phrase has that is looked for; longer ones are put together of these.
    pub phrase_words: (usize, usize),
    /// From how many times the words of its message on a reply is long.
    pub ratio: f64,
    /// The language that all must be in, by name or code; else that of most conversations.
    pub language: Option<String>,
    /// The system prompt: its passages must not show, its facts are not stock phrases.
    pub system: String,
    /// Words that may stand everywhere, such as names of products.
    pub allow: Vec<String>,
    /// Phrases to count.
    pub phrases: Vec<String>,
    /// In place of the list of praise.
    pub praise: Option<Vec<String>>,
    /// In place of the list of refusals.
    pub refusals: Option<Vec<String>>,
    /// In place of the list of what only a model says.
    pub role_leaks: Option<Vec<String>>,
    /// In place of the list of what users do not say.
    pub swapped_roles: Option<Vec<String>>,
    /// In place of the names of speakers.
    pub speakers: Option<Vec<String>>,
    /// In place of the words that say nothing.
    pub stop_words: Option<Vec<String>>,
    /// How many findings of one gate are listed.
    pub most: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            limits: Limits::default(),
            phrase_words: (4, 8),
            ratio: 2.0,
            language: None,
            system: String::new(),
            allow: Vec::new(),
            phrases: Vec::new(),
            praise: None,
            refusals: None,
            role_leaks: None,
            swapped_roles: None,
            speakers: None,
            stop_words: None,
            most: 20,
        }
    }
}

/// The options, ready for use.
pub struct Setup {
    pub(super) limits: Limits,
    pub(super) phrase_words: (usize, usize),
    pub(super) ratio: f64,
    pub(super) language: Option<Lang>,
    /// Words that say nothing where they stand one after the other.
    pub(super) allow: Lexicon,
    pub(super) phrases: Lexicon,
    pub(super) praise: Lexicon,
    pub(super) refusals: Lexicon,
    pub(super) role_leaks: Lexicon,
    pub(super) swapped: Lexicon,
    pub(super) speakers: Vec<String>,
    pub(super) stop_words: FxHashSet<u64>,
    /// Every long run of words of the system prompt.
    pub(super) system_runs: FxHashSet<u64>,
    pub(super) most: usize,
    system: Vec<u64>,
    allowed: Vec<Vec<u64>>,
}

impl Setup {
    /// Makes them ready; refuses what makes no sense.
    pub fn new(options: &Options) -> Result<Setup> {
        let (least, most) = options.phrase_words;
        if least < 2 || most < least || most > 12 {
            return Err(Error::new(
                Kind::Argument,
                format!("phrases of {least} to {most} words cannot be looked for"),
            )
            .hint("`min_words` is at least 2, `max_words` at most 12 and not below `min_words`"));
        }
        let list = |own: &Option<Vec<String>>, usual: &[&str]| match own {
            Some(own) => Lexicon::new(own),
            None => Lexicon::new(usual),
        };
        let system = Said::new(options.system.as_str()).hashes();
        let speakers = options
            .speakers
            .clone()
            .unwrap_or_else(|| lists::SPEAKERS.iter().map(|name| name.to_string()).collect());
        let stop_words = options
            .stop_words
            .clone()
            .unwrap_or_else(|| lists::STOP_WORDS.iter().map(|word| word.to_string()).collect());
        Ok(Setup {
            limits: options.limits.clone(),
            phrase_words: options.phrase_words,
            ratio: options.ratio,
            language: options.language.as_deref().map(language::named).transpose()?,
            allow: Lexicon::new(&options.allow),
            phrases: Lexicon::new(&options.phrases),
            praise: list(&options.praise, lists::PRAISE),
            refusals: list(&options.refusals, lists::REFUSALS),
            role_leaks: list(&options.role_leaks, lists::ROLE_LEAKS),
            swapped: list(&options.swapped_roles, lists::SWAPPED_ROLES),
            speakers: speakers.iter().map(|name| name.to_lowercase()).collect(),
            stop_words: stop_words.iter().flat_map(|word| words(word)).map(|word| word.hash).collect(),
            system_runs: system.windows(SYSTEM_RUN).map(|run| sequence(run.iter().copied())).collect(),
            most: options.most,
            system,
            allowed: options.allow.iter().map(|text| Said::new(text.as_str()).hashes()).collect(),
        })
    }

    /// Whether a text is a part of what is allowed.
    pub(super) fn is_allowed(&self, text: &str) -> bool {
        let words = Said::new(text).hashes();
        self.allowed.iter().any(|allowed| holds(allowed, &words))
    }

    /// Whether a phrase stands in the system prompt.
    pub(super) fn is_in_system(&self, words: &[u64]) -> bool {
        holds(&self.system, words)
    }

    /// The first phrases of different words.
    pub(super) fn distinct(&self, phrases: Vec<String>, most: usize) -> Vec<String> {
        let mut seen = FxHashSet::default();
        let is_new = |phrase: &String| seen.insert(sequence(Said::new(phrase.as_str()).hashes()));
        let clean = |phrase: String| phrase.split_whitespace().collect::<Vec<_>>().join(" ");
        phrases.into_iter().map(clean).filter(is_new).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        for phrase_words in [(1, 8), (5, 4), (4, 13)] {
            assert!(Setup::new(&Options { phrase_words, ..Options::default() }).is_err(), "{phrase_words:?}");
        }
        assert!(Setup::new(&Options { language: Some("Klingon".into()), ..Options::default() }).is_err());
    }

    #[test]
    fn phrases_are_told_once() {
        let setup = Setup::new(&Options::default()).unwrap();
        let phrases = ["Happy  to help", "happy to help!", "Good day", "More"].map(String::from).to_vec();
        assert_eq!(setup.distinct(phrases, 2), ["Happy to help", "Good day"]);
    }
}
