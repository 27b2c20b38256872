//! Messages in another language or script than they should be.
//!
//! The language of a conversation is guessed from its first words, that of the data is the one of most conversations.
//! A guess costs more than all other checks of a message together, so it is made only of messages that have few of
//! the conversation's own short words. What is foreign to the script of a conversation is looked for by letter.

use std::collections::BTreeMap;
use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};
use unicode_script::{Script, UnicodeScript};
use whatlang::{Lang, detect};

use super::chat::Chat;
use super::hits::{Finding, Hits, Measure, Totals, of, share};
use super::words::Said;
use super::{Check, Outcome, Setup};
use crate::base::hash::short;
use crate::base::{Error, Kind, Result, suggest};

/// Text by which a language is guessed, in characters: more costs more, and tells no more.
const SAMPLE: usize = 400;

/// Shorter messages say too little about their language.
const LEAST_WORDS: usize = 8;

/// A language is that of the data when so many conversations are in it.
const MOST: f64 = 0.8;

/// How many of a conversation's short words are its common ones, and how many of a message's words must be among them.
const COMMON: (usize, f64) = (40, 0.2);

/// A language by its ISO 639-3 code or its English name.
pub fn named(name: &str) -> Result<Lang> {
    let by_name = || Lang::all().iter().copied().find(|lang| lang.eng_name().eq_ignore_ascii_case(name));
    Lang::from_code(name.to_lowercase()).or_else(by_name).ok_or_else(|| {
        let near = suggest::nearest(name, Lang::all().iter().map(|lang| lang.eng_name()));
        let near = near.map(|name| format!("did you mean \"{name}\"? ")).unwrap_or_default();
        Error::new(Kind::Argument, format!("the audit knows no language `{name}`")).hint(format!(
            "{near}A language is given by its English name or its ISO 639-3 code: \"German\", \"deu\""
        ))
    })
}

/// The languages of the conversations, by the hashes of their ids.
#[derive(Default)]
pub struct Languages(FxHashMap<u64, Lang>);

impl Check for Languages {
    fn of(chat: &Chat, _: &Setup) -> Languages {
        Languages(language_of(chat).map(|lang| (short(&chat.id), lang)).into_iter().collect())
    }

    fn merge(&mut self, later: Languages) {
        self.0.extend(later.0);
    }

    /// Nothing yet: what is foreign is seen in the second pass.
    fn measures(self, _: &Totals, _: &Setup) -> Vec<Measure> {
        Vec::new()
    }
}

impl Languages {
    /// What messages should be in: what the options say, else the language of most conversations. Without one, each
    /// conversation has its own.
    pub fn expected(&self, setup: &Setup) -> Option<Lang> {
        let mut counts: BTreeMap<&str, (usize, Lang)> = BTreeMap::new();
        for lang in self.0.values() {
            counts.entry(lang.code()).or_insert((0, *lang)).0 += 1;
        }
        let most = counts.into_values().max_by_key(|(count, _)| *count);
        let is_all = |(count, _): &(usize, Lang)| *count as f64 >= MOST * self.0.len() as f64;
        setup.language.or_else(|| most.filter(is_all).map(|(_, lang)| lang))
    }

    /// What a conversation is in; none when that is not certain.
    fn of_chat(&self, chat: &Chat) -> Option<Lang> {
        self.0.get(&short(&chat.id)).copied()
    }
}

/// Messages that are foreign.
#[derive(Default)]
pub struct Foreign {
    messages: usize,
    /// By what they are in.
    languages: BTreeMap<&'static str, Hits>,
    scripts: BTreeMap<&'static str, Hits>,
}

impl Foreign {
    /// Those of a conversation.
    pub fn of(chat: &Chat, languages: &Languages, expected: Option<Lang>, setup: &Setup) -> Foreign {
        let mut all = Foreign::default();
        let own = languages.of_chat(chat);
        let expected = expected.or(own);
        let (common, scripts) = (Common::of(chat, own), scripts(chat));
        for (turn, side, said) in chat.messages() {
            let script = foreign_run(&said.text, &scripts)
                .filter(|(_, place)| !setup.is_allowed(&said.text[place.clone()]));
            let language = foreign_language(said, expected, &common);
            all.messages += usize::from(script.is_some() || language.is_some());
            if let Some((name, place)) = script {
                all.scripts.entry(name).or_default().add(&chat.id, turn, side, said, place);
            } else if let Some(name) = language {
                all.languages.entry(name).or_default().add(&chat.id, turn, side, said, 0..0);
            }
        }
        all
    }

    /// Adds those of later conversations.
    pub fn merge(&mut self, later: Foreign) {
        self.messages += later.messages;
        for (mine, theirs) in [(&mut self.languages, later.languages), (&mut self.scripts, later.scripts)] {
            for (name, hits) in theirs {
                mine.entry(name).or_default().merge(hits);
            }
        }
    }

    /// The measure.
    pub fn judge(self, totals: &Totals, expected: Option<Lang>, outcome: &mut Outcome) {
        let messages = 2 * totals.replies;
        let told = |kind, what: String, hits: Hits| {
            let message = format!("{} {what}", of(hits.count, messages, "messages"));
            Finding::new(kind, message, share(hits.count, messages), hits)
        };
        let instead = expected.map(|lang| format!(", not {}", lang.eng_name())).unwrap_or_default();
        let languages = self
            .languages
            .into_iter()
            .map(|(name, hits)| told("language", format!("seem to be in {name}{instead}"), hits));
        let scripts = self
            .scripts
            .into_iter()
            .map(|(name, hits)| told("script", format!("have words in the {name} script"), hits));
        let measure = Measure::new("language_leaks", share(self.messages, messages));
        outcome.measures.push(measure.with(scripts.chain(languages).collect::<Vec<_>>()));
    }
}

/// What a conversation is in; none when that is not certain.
fn language_of(chat: &Chat) -> Option<Lang> {
    let mut sample = String::with_capacity(2 * SAMPLE);
    for said in chat.turns.iter().flatten() {
        let room = SAMPLE.saturating_sub(sample.len());
        sample.extend(said.text.chars().take(room));
        sample.push(' ');
        if room == 0 {
            break;
        }
    }
    certain(&sample)
}

/// The short words that a conversation uses most, and the language that they are of.
struct Common {
    words: FxHashSet<u64>,
    of: Option<Lang>,
}

impl Common {
    /// Empty where they tell nothing: in a short conversation, or one of which the language is not certain.
    fn of(chat: &Chat, of: Option<Lang>) -> Common {
        const ENOUGH: usize = 400;
        let mut counts: FxHashMap<u64, u32> = FxHashMap::default();
        if of.is_none() || chat.words().count() < ENOUGH {
            return Common { words: FxHashSet::default(), of };
        }
        for word in chat.words().filter(|word| word.end - word.begin <= 4) {
            *counts.entry(word.hash).or_default() += 1;
        }
        let mut counts: Vec<(u32, u64)> = counts.into_iter().map(|(hash, count)| (count, hash)).collect();
        counts.sort_unstable_by_key(|one| std::cmp::Reverse(*one));
        Common { words: counts.into_iter().take(COMMON.0).map(|(_, hash)| hash).collect(), of }
    }

    /// The language of a message that has enough of these words; else that of its beginning, when it is certain.
    fn language(&self, said: &Said) -> Option<Lang> {
        let known = said.words.iter().filter(|word| self.words.contains(&word.hash)).count();
        if !self.words.is_empty() && known as f64 >= COMMON.1 * said.words.len() as f64 {
            return self.of;
        }
        certain(&said.text.chars().take(SAMPLE).collect::<String>())
    }
}

fn certain(text: &str) -> Option<Lang> {
    detect(text).filter(|info| info.is_reliable()).map(|info| info.lang())
}

/// The language of a message that is certainly not in the expected one.
fn foreign_language(said: &Said, expected: Option<Lang>, common: &Common) -> Option<&'static str> {
    if said.words.len() < LEAST_WORDS {
        return None;
    }
    let (found, expected) = (common.language(said)?, expected?);
    (found != expected).then(|| found.eng_name())
}

/// The scripts of a conversation's letters: each that has a tenth of them.
fn scripts(chat: &Chat) -> Vec<Script> {
    let mut counts: Vec<(Script, usize)> = Vec::new();
    let mut all = 0;
    for text in chat.turns.iter().flatten().map(|said| said.text.as_str()) {
        for c in text.chars().filter(|c| c.is_alphabetic()) {
            all += 1;
            let script = script_of(c);
            match counts.iter_mut().find(|(known, _)| *known == script) {
                Some((_, count)) => *count += 1,
                None => counts.push((script, 1)),
            }
        }
    }
    counts.into_iter().filter(|(_, count)| count * 10 >= all).map(|(script, _)| script).collect()
}

/// Chinese and Japanese share characters: they are one here.
fn script_of(c: char) -> Script {
    match c {
        c if c.is_ascii() => Script::Latin,
        c => match c.script() {
            Script::Hiragana | Script::Katakana => Script::Han,
            script => script,
        },
    }
}

/// The first run of letters of a script that is not the conversation's. Latin letters are at home everywhere, and one
/// or two Greek ones are a unit or a formula.
fn foreign_run(text: &str, own: &[Script]) -> Option<(&'static str, Range<usize>)> {
    if text.is_ascii() {
        return None;
    }
    let is_foreign = |script: Script| {
        !own.contains(&script)
            && !matches!(script, Script::Latin | Script::Common | Script::Inherited | Script::Unknown)
    };
    let (mut run, mut letters) = (None::<(Script, usize)>, 0);
    for (place, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let script = if c.is_alphabetic() { script_of(c) } else { Script::Common };
        match run {
            Some((known, _)) if known == script => letters += 1,
            Some((known, begin)) if letters >= least(known) => {
                return Some((known.full_name(), begin..place));
            }
            _ => (run, letters) = (is_foreign(script).then_some((script, place)), 1),
        }
    }
    None
}

fn least(script: Script) -> usize {
    if matches!(script, Script::Han | Script::Hangul) { 2 } else { 3 }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::{audited, audited_with, chat, gate, varied};
    use super::*;

    const ENGLISH: &str = "Set the grinder two steps finer, and weigh what comes out of the machine; then tell me how long it took.";
    const GERMAN: &str = "Stellen Sie die M\u{fc}hle bitte zwei Stufen feiner, und sagen Sie mir dann, wie lange der Bezug gedauert hat.";

    /// Long English conversations of which one has this reply, and the finding about it.
    fn found(reply: &str) -> Vec<(String, String)> {
        let talk = |i: usize, own: &str| {
            chat(
                &format!("t{i}"),
                (0..25).map(|turn| {
                    (
                        format!("What should I do with number {turn} of {i}?"),
                        if turn == 20 { own.into() } else { format!("{ENGLISH} That is {turn}.") },
                    )
                }),
            )
        };
        let report = audited((0..3).map(|i| talk(i, if i == 1 { reply } else { ENGLISH })));
        let found = report.findings.iter().filter(|one| one.gate == "language_leaks");
        found.map(|one| (one.message.clone(), format!("{} {}", one.ids[0], one.examples[0].turn))).collect()
    }

    #[test]
    fn a_reply_in_another_language_or_script_is_found() {
        let place = "t1 21".to_string();
        assert_eq!(
            found(GERMAN),
            [("1 of 150 messages (0.7 %) seem to be in German, not English".into(), place.clone())]
        );
        let stray = format!("{ENGLISH} \u{8bf7}\u{7a0d}\u{7b49}.");
        assert_eq!(
            found(&stray),
            [("1 of 150 messages (0.7 %) have words in the Han script".into(), place.clone())]
        );
        let stray = format!("{ENGLISH} \u{432}\u{43e}\u{442}");
        assert_eq!(found(&stray)[0].0, "1 of 150 messages (0.7 %) have words in the Cyrillic script");
        for fine in [
            "5 \u{3a9}, 3 \u{b5}m, \u{394}t, caf\u{e9}, \u{201c}na\u{ef}ve\u{201d}",
            "Ja, gut!",
            "",
            "BH-12345-A",
        ] {
            assert!(found(fine).is_empty(), "{fine}");
        }
    }

    #[test]
    fn a_conversation_in_another_language_is_found_unless_there_are_many() {
        let talk = |i: usize, text: &str| {
            chat(&format!("t{i}"), (0..3).map(|turn| (format!("{text} ({turn})"), format!("{text} {i}"))))
        };
        let report = audited((0..10).map(|i| talk(i, if i == 7 { GERMAN } else { ENGLISH })));
        let finding = report.findings.iter().find(|one| one.kind == "language").unwrap();
        assert_eq!((finding.count, &*finding.ids[0]), (6, "t7"));
        let report = audited((0..10).map(|i| talk(i, if i % 2 == 0 { GERMAN } else { ENGLISH })));
        assert!(gate(&report, "language_leaks").pass);
        let options = Options { language: Some("german".into()), ..Options::default() };
        assert_eq!(
            gate(
                &audited_with((0..4).map(|i| talk(i, if i == 0 { GERMAN } else { ENGLISH })), options),
                "language_leaks"
            )
            .value,
            0.75
        );
    }

    #[test]
    fn a_script_of_its_own_is_not_foreign() {
        let chinese = "\u{60a8}\u{597d}\u{ff0c}\u{8bf7}\u{95ee} Lira One \u{600e}\u{4e48}\u{7528}\u{ff1f}";
        assert!(gate(&audited([chat("t", [(chinese, chinese)])]), "language_leaks").pass);
        assert!(gate(&audited(varied(4, 5)), "language_leaks").pass);
    }

    #[test]
    fn languages_have_names() {
        assert_eq!((named("deu").unwrap(), named("German").unwrap()), (Lang::Deu, Lang::Deu));
        assert!(named("Germn").unwrap_err().get_hint().unwrap().starts_with("did you mean \"German\"?"));
    }
}
