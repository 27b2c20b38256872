//! The audit: faults of a whole data set, which no judge of a single transcript can see.
//!
//! Each check makes something of its own of every conversation (`Check::of`), on any thread; these are merged in the order
//! of the conversations, and become measures. What is common word for word takes two passes: [`First`] counts by
//! hash, [`Second`] looks at what may be frequent. Between them nothing of a conversation is kept but counts and hashes.

mod chat;
mod duplicates;
mod gates;
mod grams;
mod hits;
mod keyed;
mod language;
mod leaks;
mod leftovers;
mod lengths;
mod lexicon;
mod lists;
mod maximal;
mod praise;
mod refusals;
mod repetition;
mod setup;
mod structure;
#[cfg(test)]
mod testing;
mod words;

use std::sync::Arc;

use serde::Serialize;

pub use chat::Chat;
pub use gates::{GATES, Gate, Limits};
use grams::{Sketch, grams};
pub use hits::{Example, Finding, Measure};
use hits::{Hits, Totals, share};
pub use setup::{Options, Setup};

/// How many phrases are told to be avoided.
const PHRASES: usize = 30;

/// One check. Of a conversation it makes a value; values are merged in the order of conversations.
trait Check: Default {
    /// What it sees in a conversation.
    fn of(chat: &Chat, setup: &Setup) -> Self;
    /// Adds what it saw in later ones.
    fn merge(&mut self, later: Self);
    /// What it has measured.
    fn measures(self, totals: &Totals, setup: &Setup) -> Vec<Measure>;
}

/// The table of checks: a struct with a field for each.
macro_rules! checks {
    ($($name:ident: $check:ty),* $(,)?) => {
        #[derive(Default)]
        struct Checks { $($name: $check),* }

        impl Check for Checks {
            fn of(chat: &Chat, setup: &Setup) -> Checks {
                Checks { $($name: <$check>::of(chat, setup)),* }
            }

            fn merge(&mut self, later: Checks) {
                $(self.$name.merge(later.$name);)*
            }

            fn measures(self, totals: &Totals, setup: &Setup) -> Vec<Measure> {
                [$(self.$name.measures(totals, setup)),*].into_iter().flatten().collect()
            }
        }
    };
}

checks! {
    listed: praise::Listed,
    counts: keyed::Counts,
    structure: structure::Structure,
    lengths: lengths::Lengths,
    praise: praise::Praise,
    duplicates: duplicates::Duplicates,
    leaks: leaks::Leaks,
    languages: language::Languages,
    refusals: refusals::Refusals,
    leftovers: leftovers::Leftovers,
}

/// The first pass over the conversations.
pub struct First {
    setup: Arc<Setup>,
    sketch: Sketch,
}

/// What the first pass makes of conversations.
#[derive(Default)]
pub struct Seen {
    totals: Totals,
    checks: Checks,
    within: repetition::Within,
}

/// The second pass over the conversations.
pub struct Second {
    setup: Arc<Setup>,
    sketch: Sketch,
    seen: Seen,
    wanted: keyed::Wanted,
    expected: Option<whatlang::Lang>,
    least: u32,
}

/// What the second pass makes of a conversation.
pub struct Part {
    chat: Chat,
    candidates: Vec<repetition::Here>,
    common: keyed::Here,
    foreign: language::Foreign,
}

/// What the second pass makes of all conversations.
#[derive(Default)]
pub struct Sum {
    candidates: repetition::Candidates,
    common: keyed::Common,
    foreign: language::Foreign,
}

/// Measures, and phrases to be avoided.
#[derive(Default)]
struct Outcome {
    measures: Vec<Measure>,
    phrases: Vec<String>,
}

/// A transcript that could not be read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Its id, else its file.
    pub id: Arc<str>,
    /// Why.
    pub why: String,
}

/// What the audit tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Transcripts that were read.
    pub transcripts: usize,
    /// Their replies.
    pub replies: usize,
    /// Whether every gate passes; never so when there is nothing to audit.
    pub pass: bool,
    /// The gates that are on.
    pub gates: Vec<Gate>,
    /// What was found: those of gates that fail first, in the order of gates.
    pub findings: Vec<Finding>,
    /// Phrases that a prompt may warn of, the most frequent first.
    pub phrases: Vec<String>,
}

impl First {
    /// The first pass over about so many conversations.
    pub fn new(setup: Setup, transcripts: usize) -> First {
        First { setup: Arc::new(setup), sketch: Sketch::new(transcripts) }
    }

    /// Looks at a conversation; on any thread, in any order.
    pub fn see(&self, chat: &Chat) -> Seen {
        let grams = grams(chat, &self.setup);
        self.sketch.add(&grams);
        Seen {
            totals: Totals { transcripts: 1, replies: chat.turns.len() },
            checks: Checks::of(chat, &self.setup),
            within: repetition::Within::of(chat, &grams),
        }
    }

    /// Ends it.
    pub fn end(self, seen: Seen) -> Second {
        let First { setup, sketch } = self;
        let wanted = keyed::Wanted::new(&seen.checks.counts, &seen.totals, &setup);
        let expected = seen.checks.languages.expected(&setup);
        let least = repetition::least(&seen.totals, &setup);
        Second { setup, sketch, seen, wanted, expected, least }
    }
}

impl Seen {
    /// Adds later conversations.
    pub fn merge(&mut self, later: Seen) {
        self.totals.transcripts += later.totals.transcripts;
        self.totals.replies += later.totals.replies;
        self.checks.merge(later.checks);
        self.within.merge(later.within);
    }
}

impl Second {
    /// Looks at a conversation once more; on any thread, in any order.
    pub fn see(&self, chat: Chat) -> Part {
        Part {
            candidates: repetition::Candidates::of(&chat, &self.setup, &self.sketch, self.least),
            common: self.wanted.of(&chat),
            foreign: language::Foreign::of(&chat, &self.seen.checks.languages, self.expected, &self.setup),
            chat,
        }
    }

    /// What there is to tell.
    pub fn end(self, sum: Sum, unreadable: Vec<Unreadable>) -> Report {
        let Second { setup, seen, wanted, expected, .. } = self;
        let Seen { totals, checks, within } = seen;
        let mut outcome = Outcome::default();
        outcome.measures.push(damaged(unreadable, totals.transcripts));
        checks.listed.tell(&setup, &mut outcome);
        sum.candidates.judge(&totals, &setup, &mut outcome);
        outcome.measures.push(within.measure(&totals, &setup));
        sum.common.judge(&wanted, &totals, &mut outcome);
        checks.praise.tell(&totals, &setup, &mut outcome);
        sum.foreign.judge(&totals, expected, &mut outcome);
        outcome.measures.extend(checks.measures(&totals, &setup));
        report(outcome, &totals, &setup)
    }
}

impl Sum {
    /// Adds the next conversation.
    pub fn add(&mut self, part: Part) {
        self.candidates.add(&part.chat, part.candidates);
        self.common.add(part.common);
        self.foreign.merge(part.foreign);
    }
}

fn damaged(unreadable: Vec<Unreadable>, read: usize) -> Measure {
    let value = share(unreadable.len(), unreadable.len() + read);
    let mut hits = Hits::default();
    for Unreadable { id, why } in &unreadable {
        hits.count += 1;
        if hits.note(id) {
            hits.examples.push(Example::new(id, 0, 0, why.clone()));
        }
    }
    let are = if hits.count == 1 {
        "transcript cannot be read, and is"
    } else {
        "transcripts cannot be read, and are"
    };
    let message = format!("{} {are} left out", hits.count);
    Measure::of_hits("unreadable", value, hits, message)
}

/// The gates in their order, the findings of failed ones first, each sort cut to so many.
fn report(outcome: Outcome, totals: &Totals, setup: &Setup) -> Report {
    let Outcome { mut measures, phrases } = outcome;
    measures.sort_by_key(|measure| GATES.iter().position(|gate| gate.name == measure.gate));
    let (mut gates, mut failed, mut passed) = (Vec::new(), Vec::new(), Vec::new());
    for measure in measures {
        let Some(gate) = setup.limits.judge(&measure) else { continue };
        let told = if gate.pass { &mut passed } else { &mut failed };
        let name = gate.name;
        told.extend(
            measure.findings.into_iter().take(setup.most).map(|finding| Finding { gate: name, ..finding }),
        );
        gates.push(gate);
    }
    failed.append(&mut passed);
    let pass = totals.transcripts > 0 && gates.iter().all(|gate| gate.pass);
    let Totals { transcripts, replies } = *totals;
    Report { transcripts, replies, pass, gates, findings: failed, phrases: setup.distinct(phrases, PHRASES) }
}

#[cfg(test)]
mod tests {
    use super::testing::{audited, audited_with, chat, gate, varied};
    use super::*;

    #[test]
    fn every_gate_is_measured_once_and_clean_data_pass() {
        let report = audited(varied(12, 8));
        let names: Vec<_> = report.gates.iter().map(|gate| gate.name).collect();
        assert_eq!(names, GATES.iter().map(|gate| gate.name).collect::<Vec<_>>());
        assert!(report.pass && report.phrases.is_empty(), "{:#?}", report.findings);
        assert_eq!((report.transcripts, report.replies), (12, 96));
    }

    #[test]
    fn nothing_does_not_pass_and_one_transcript_may() {
        let report = audited([]);
        assert!(!report.pass && report.gates.iter().all(|gate| gate.pass));
        assert!(audited(varied(1, 5)).pass);
        assert!(audited([chat("t", [("", "")])]).pass);
        let no_turns: [(&str, &str); 0] = [];
        assert!(audited([chat("t", no_turns)]).pass);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_fails() {
        let second = First::new(Setup::new(&Options::default()).unwrap(), 0).end(Seen::default());
        let report =
            second.end(Sum::default(), vec![Unreadable { id: "x".into(), why: "the file is empty".into() }]);
        assert_eq!(
            (report.findings[0].kind, &*report.findings[0].examples[0].text),
            ("unreadable", "the file is empty")
        );
        assert_eq!(gate(&report, "unreadable").value, 1.0);
    }

    #[test]
    fn a_gate_that_is_off_tells_nothing() {
        let mut options = Options::default();
        let mut chats = varied(3, 4);
        chats[1].turns[0][1] = words::Said::new("{{ name }}");
        assert_eq!(audited_with(chats, Options::default()).findings.len(), 1);
        let mut chats = varied(3, 4);
        chats[1].turns[0][1] = words::Said::new("{{ name }}");
        options.limits.set("leftovers", None).unwrap();
        let report = audited_with(chats, options);
        assert!(
            report.pass
                && report.findings.is_empty()
                && report.gates.iter().all(|gate| gate.name != "leftovers")
        );
    }

    #[test]
    fn a_report_does_not_depend_on_threads() {
        let chats = || {
            (0..40).map(|i| {
                chat(
                    &format!("t{i:02}"),
                    (0..6).map(move |t| {
                        (
                            format!("Question {}", i * 6 + t),
                            format!("Sure. I will look into it for you, number {}.", i % 3 + t),
                        )
                    }),
                )
            })
        };
        let setup = || Setup::new(&Options::default()).unwrap();
        let whole = audited(chats());
        let first = First::new(setup(), 40);
        let mut halves: Vec<Seen> = chats().rev().map(|chat| first.see(&chat)).collect();
        let seen = std::iter::from_fn(|| halves.pop()).fold(Seen::default(), |mut all, next| {
            all.merge(next);
            all
        });
        let (second, mut sum) = (first.end(seen), Sum::default());
        let mut parts: Vec<Part> = chats().rev().map(|chat| second.see(chat)).collect();
        while let Some(part) = parts.pop() {
            sum.add(part);
        }
        assert_eq!(second.end(sum, Vec::new()), whole);
        assert!(whole.findings.len() > 3);
    }
}
