//! Conversations that are there twice: word for word, or nearly.
//!
//! Near ones are found by MinHash: of all runs of four words of a conversation, the smallest of 64 hash functions each. Of two
//! conversations, the share of equal minima estimates the share of runs that they have in common (Jaccard). Which ones are
//! compared at all is found by bands of four minima.

use rustc_hash::FxHashMap;

use super::chat::Chat;
use super::hits::{Example, Finding, Hits, Measure, Totals, share};
use super::words::sequence;
use super::{Check, Setup};

/// Hash functions.
const MINIMA: usize = 64;

/// Minima that must be equal for two conversations to be compared.
const BAND: usize = 4;

/// Words of a run.
const RUN: usize = 4;

/// Conversations of fewer runs are not compared: of a short one, a greeting is a large part.
const LEAST_RUNS: usize = 30;

/// From which share on they are nearly the same.
const NEAR: f64 = 0.8;

/// A conversation in short.
struct Mark {
    id: std::sync::Arc<str>,
    /// Of all its words; none when it has none.
    hash: Option<u64>,
    minima: Option<Box<[u32; MINIMA]>>,
}

/// All conversations in short.
#[derive(Default)]
pub struct Duplicates(Vec<Mark>);

impl Check for Duplicates {
    fn of(chat: &Chat, _: &Setup) -> Duplicates {
        let words: Vec<u64> = chat.words().map(|word| word.hash).collect();
        let hash = (!words.is_empty()).then(|| sequence(words.iter().copied()));
        Duplicates(vec![Mark { id: chat.id.clone(), hash, minima: minima(&words) }])
    }

    fn merge(&mut self, later: Duplicates) {
        self.0.extend(later.0);
    }

    fn measures(self, totals: &Totals, _: &Setup) -> Vec<Measure> {
        let mut first = FxHashMap::default();
        let (mut same, mut rest): (Pairs, Vec<&Mark>) = (Pairs::default(), Vec::new());
        for mark in &self.0 {
            match mark.hash.map(|hash| first.entry(hash).or_insert(mark)) {
                Some(earlier) if !std::ptr::eq(*earlier, mark) => same.add(earlier, mark, 1.0),
                _ => rest.push(mark),
            }
        }
        let near = near(&rest);
        vec![
            same.measure("duplicate_transcripts", "the same, word for word", totals),
            near.measure("near_duplicates", "nearly the same", totals),
        ]
    }
}

fn minima(words: &[u64]) -> Option<Box<[u32; MINIMA]>> {
    if words.len() < LEAST_RUNS + RUN {
        return None;
    }
    let mut minima = Box::new([u32::MAX; MINIMA]);
    for run in words.windows(RUN) {
        let hash = sequence(run.iter().copied());
        for (number, least) in minima.iter_mut().enumerate() {
            // Odd factors, spread over all bits: the fractional parts of the golden ratio's multiples.
            let factor = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            *least = (*least).min(((hash ^ (hash >> 29)).wrapping_mul(factor) >> 32) as u32);
        }
    }
    Some(minima)
}

/// Pairs of conversations that are alike, by the earlier one.
#[derive(Default)]
struct Pairs {
    later: usize,
    hits: Hits,
}

impl Pairs {
    fn add(&mut self, earlier: &Mark, later: &Mark, alike: f64) {
        self.later += 1;
        self.hits.count += 1;
        if self.hits.note(&later.id) {
            let text = match alike {
                1.0 => format!("as {}", earlier.id),
                _ => format!("about {:.0} % as {}", 100.0 * alike, earlier.id),
            };
            self.hits.examples.push(Example::new(&later.id, 1, 0, text));
        }
    }

    fn measure(self, gate: &'static str, what: &str, totals: &Totals) -> Measure {
        let value = share(self.later, totals.transcripts);
        let (verb, noun) =
            if self.later == 1 { ("repeats", "transcript") } else { ("repeat", "transcripts") };
        let message =
            format!("{} {noun} of {} {verb} an earlier one: {what}", self.later, totals.transcripts);
        let finding = (self.later > 0).then(|| Finding::new(gate, message, value, self.hits));
        Measure::new(gate, value).with(finding)
    }
}

/// Each conversation beside the first one that is nearly the same.
fn near(marks: &[&Mark]) -> Pairs {
    let mut pairs = Pairs::default();
    let mut bands: FxHashMap<(usize, [u32; BAND]), Vec<usize>> = FxHashMap::default();
    for (place, mark) in marks.iter().enumerate() {
        let Some(minima) = &mark.minima else { continue };
        let keys = || {
            minima
                .chunks_exact(BAND)
                .enumerate()
                .filter_map(|(band, part)| Some((band, part.try_into().ok()?)))
        };
        let earlier = keys()
            .filter_map(|key| bands.get(&key))
            .flatten()
            .map(|place| (alike(marks[*place], minima), *place));
        let best = earlier
            .filter(|(alike, _)| *alike >= NEAR)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        match best {
            // What is like this one is like the earlier one, too: comparisons stay few.
            Some((alike, earlier)) => pairs.add(marks[earlier], mark, alike.min(0.99)),
            None => keys().for_each(|key| bands.entry(key).or_default().push(place)),
        }
    }
    pairs
}

fn alike(mark: &Mark, minima: &[u32; MINIMA]) -> f64 {
    let Some(other) = &mark.minima else { return 0.0 };
    share(other.iter().zip(minima).filter(|(one, two)| one == two).count(), MINIMA)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{audited, gate, varied};
    use super::super::words::Said;
    use super::*;

    #[test]
    fn the_same_and_nearly_the_same_are_found() {
        let mut chats = varied(10, 6);
        let copy = |chat: &Chat, id: &str| Chat {
            id: id.into(),
            fields: Vec::new(),
            turns: chat
                .turns
                .iter()
                .map(|turn| turn.each_ref().map(|said| Said::new(said.text.to_uppercase() + " ?")))
                .collect(),
        };
        let (same, mut close) = (copy(&chats[3], "same"), copy(&chats[4], "close"));
        close.turns[5][1] = Said::new("Quite another ending of it, really");
        chats.extend([same, close]);
        let report = audited(chats);
        let find = |kind: &str| report.findings.iter().find(|one| one.kind == kind).unwrap();
        let same = find("duplicate_transcripts");
        assert_eq!(same.message, "1 transcript of 12 repeats an earlier one: the same, word for word");
        assert_eq!((&*same.ids[0], &*same.examples[0].text), ("same", "as t003"));
        let near = find("near_duplicates");
        assert_eq!((near.count, &*near.ids[0]), (1, "close"));
        assert!(
            near.examples[0].text.starts_with("about 8") || near.examples[0].text.starts_with("about 9"),
            "{near:?}"
        );
        assert!(!gate(&report, "duplicate_transcripts").pass && !gate(&report, "near_duplicates").pass);
    }

    #[test]
    fn different_and_short_ones_are_not_alike() {
        let report = audited(varied(60, 6));
        assert_eq!(
            (gate(&report, "duplicate_transcripts").value, gate(&report, "near_duplicates").value),
            (0.0, 0.0)
        );
    }
}
