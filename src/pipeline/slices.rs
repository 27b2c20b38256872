//! Slicing: a conversation becomes several training examples, each a beginning of it that ends at a
//! slice point, within a token budget.

use serde::{Deserialize, Serialize};

use crate::base::{Error, Kind, Result};
use crate::pipeline::rng::Rng;
use crate::pipeline::tokens::{Encoding, Message, count_message, count_system};
use crate::pipeline::transcript::{Exchange, Transcript};

/// The longest conversation that is sliced, in exchanges: more slice points than this would not fit
/// into an array of a script.
const MAX_TURNS: usize = 1_000_000;

/// How far apart slice points lie, in exchanges. The defaults are the reference pipeline's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first slice point, and the fewest exchanges of an example. At least 1; 3 by default.
    pub min_context: usize,
    /// The smallest gap between two points. At least 1; 2 by default.
    pub min_gap: usize,
    /// The largest gap. At least `min_gap`; 5 by default.
    pub max_gap: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { min_context: 3, min_gap: 2, max_gap: 5 }
    }
}

impl Bounds {
    /// Refuses bounds that no slicing can keep.
    pub fn validate(&self) -> Result<()> {
        let Bounds { min_context, min_gap, max_gap } = *self;
        if min_context < 1 {
            return Err(argument("`min_context` is 0", "an example needs at least 1 exchange"));
        }
        if min_gap < 1 {
            return Err(argument("`min_gap` is 0", "slice points lie at least 1 exchange apart"));
        }
        if max_gap > MAX_TURNS {
            return Err(argument(
                format!("`max_gap` is {max_gap}"),
                format!("the largest gap is {MAX_TURNS} exchanges"),
            ));
        }
        if min_gap > max_gap {
            let message = format!("`min_gap` ({min_gap}) is greater than `max_gap` ({max_gap})");
            return Err(argument(message, "a gap is drawn from min_gap to max_gap: swap them"));
        }
        Ok(())
    }
}

/// Where a conversation of `total_turns` exchanges is cut: ascending numbers of exchanges, the last
/// one `total_turns`; none when the conversation is shorter than `min_context`.
///
/// The first point is `min_context`; each gap is drawn uniformly from `min_gap` to `max_gap` by the
/// [`Rng`] of `id`, so that a transcript is always cut at the same places.
pub fn get_slice_points(total_turns: usize, id: &str, bounds: &Bounds) -> Result<Vec<usize>> {
    bounds.validate()?;
    if total_turns > MAX_TURNS {
        let message = format!("a conversation of {total_turns} exchanges is too long to slice");
        return Err(Error::new(Kind::Limit, message).hint(format!("at most {MAX_TURNS} exchanges")));
    }
    let mut points = Vec::new();
    if total_turns < bounds.min_context {
        return Ok(points);
    }
    let mut rng = Rng::from_text(id);
    let mut current = bounds.min_context;
    while current <= total_turns {
        points.push(current);
        // Both bounds are at most a million.
        current += rng.randint(bounds.min_gap as i64, bounds.max_gap as i64)? as usize;
    }
    if points.last() != Some(&total_turns) {
        points.push(total_turns);
    }
    Ok(points)
}

/// What becomes of a slice that costs more than the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverBudget {
    /// `skip`: it is left out and counted.
    #[default]
    Skip,
    /// `recent`: its most recent exchanges that fit are kept, if they are at least `min_context`.
    Recent,
}

impl OverBudget {
    /// By its name, `skip` or `recent`.
    pub fn named(name: &str) -> Result<OverBudget> {
        match name {
            "skip" => Ok(OverBudget::Skip),
            "recent" => Ok(OverBudget::Recent),
            _ => Err(argument(format!("`over_budget` is `{name}`"), "it is \"skip\" or \"recent\"")),
        }
    }
}

/// How a transcript is sliced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceOptions {
    /// The most tokens that an example may cost, its system message included.
    pub max_tokens: usize,
    /// Whose tokens.
    pub encoding: Encoding,
    /// Where the slice points lie.
    pub bounds: Bounds,
    /// What becomes of slices that cost more.
    pub over_budget: OverBudget,
}

impl SliceOptions {
    /// This budget, and the defaults for all else.
    pub fn new(max_tokens: usize) -> SliceOptions {
        SliceOptions {
            max_tokens,
            encoding: Encoding::default(),
            bounds: Bounds::default(),
            over_budget: OverBudget::default(),
        }
    }
}

/// A training example: some exchanges of a transcript as chat messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The id of the transcript that it is a part of.
    pub transcript: String,
    /// What must not be on both sides of a split: see [`Transcript::group`].
    pub group: String,
    /// Its first exchange, 1-based.
    pub first: usize,
    /// Its last exchange, 1-based and included: the slice point.
    pub last: usize,
    /// What its messages cost.
    pub tokens: usize,
    /// Whether its beginning was cut off to fit the budget (`over_budget: "recent"`).
    pub truncated: bool,
    /// Whether no real model made its transcript (its field `offline`).
    #[serde(default)]
    pub offline: bool,
    /// The system message, if there is one, then user and assistant in turn.
    pub messages: Vec<Message>,
}

/// The examples of one transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sliced {
    /// In the order of their slice points.
    pub examples: Vec<Example>,
    /// How many slices were left out because they cost too much.
    pub over_budget: usize,
}

/// A part of a conversation that becomes an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// How many exchanges stand before it: more than none when its beginning was cut off to fit the budget.
    pub skipped: usize,
    /// Its last exchange, 1-based and included: the slice point.
    pub last: usize,
    /// What its messages cost.
    pub tokens: usize,
}

/// Where a conversation is cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    /// In the order of their slice points.
    pub parts: Vec<Part>,
    /// How many slices were left out because they cost too much.
    pub over_budget: usize,
}

/// Cuts the conversation `id` of these exchanges, with a system message of so many tokens. Every text is counted
/// once, whatever the number of slices.
pub fn cut<'t>(
    id: &str,
    exchanges: impl ExactSizeIterator<Item = [&'t str; 2]>,
    system: usize,
    options: &SliceOptions,
) -> Result<Cut> {
    let points = get_slice_points(exchanges.len(), id, &options.bounds)?;
    let mut cut = Cut { parts: Vec::with_capacity(points.len()), over_budget: 0 };
    if points.is_empty() {
        return Ok(cut);
    }
    let costs = Costs::of(exchanges, system, options.encoding);
    for last in points {
        match costs.first_that_fits(last, options) {
            Some(skipped) => {
                cut.parts.push(Part { skipped, last, tokens: costs.between(skipped, last) });
            }
            None => cut.over_budget += 1,
        }
    }
    Ok(cut)
}

/// Slices a transcript.
pub fn slice_transcript(transcript: &Transcript, system: &str, options: &SliceOptions) -> Result<Sliced> {
    let texts = transcript.exchanges.iter().map(|exchange| [&*exchange.user, &*exchange.assistant]);
    let cut = cut(&transcript.id, texts, count_system(system, options.encoding), options)?;
    let group = transcript.group();
    let offline = transcript.rest.get("offline") == Some(&true.into());
    let example = |part: &Part| Example {
        transcript: transcript.id.clone(),
        group: group.clone(),
        first: part.skipped + 1,
        last: part.last,
        tokens: part.tokens,
        truncated: part.skipped > 0,
        offline,
        messages: messages(system, &transcript.exchanges[part.skipped..part.last]),
    };
    Ok(Sliced { examples: cut.parts.iter().map(example).collect(), over_budget: cut.over_budget })
}

/// What each beginning of a conversation costs.
struct Costs {
    system: usize,
    /// `sums[n]`: the first n exchanges, without the system message.
    sums: Vec<usize>,
}

impl Costs {
    fn of<'t>(exchanges: impl Iterator<Item = [&'t str; 2]>, system: usize, encoding: Encoding) -> Costs {
        let mut sums = vec![0];
        let mut total = 0;
        for texts in exchanges {
            total += texts.map(|text| count_message(text, encoding)).iter().sum::<usize>();
            sums.push(total);
        }
        Costs { system, sums }
    }

    /// An example that leaves out the exchanges before `first` and those from `last` on.
    fn between(&self, first: usize, last: usize) -> usize {
        self.system + self.sums[last] - self.sums[first]
    }

    /// How many exchanges must be left out at the beginning for the slice to fit; `None` when it is to
    /// be left out as a whole.
    fn first_that_fits(&self, last: usize, options: &SliceOptions) -> Option<usize> {
        if self.between(0, last) <= options.max_tokens {
            return Some(0);
        }
        if options.over_budget == OverBudget::Skip {
            return None;
        }
        let spent = self.system + self.sums[last];
        let first = self.sums[..last].partition_point(|before| spent - before > options.max_tokens);
        (last - first >= options.bounds.min_context).then_some(first)
    }
}

/// The chat of an example.
fn messages(system: &str, exchanges: &[Exchange]) -> Vec<Message> {
    let mut messages = Vec::with_capacity(exchanges.len() * 2 + 1);
    if !system.is_empty() {
        messages.push(Message::new("system", system));
    }
    for exchange in exchanges {
        messages.push(Message::new("user", &exchange.user));
        messages.push(Message::new("assistant", &exchange.assistant));
    }
    messages
}

fn argument(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::new(Kind::Argument, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tokens::{count_exchange, count_messages};
    use proptest::prelude::*;

    fn transcript(turns: usize) -> Transcript {
        let exchange = |n| Exchange::new(format!("question {n}"), "word ".repeat(n * 7 % 11 + 1));
        Transcript {
            id: "t".into(),
            persona: serde_json::json!({"id": "p"}),
            exchanges: (1..=turns).map(exchange).collect(),
            rest: Default::default(),
        }
    }

    #[test]
    fn the_documented_example() {
        let points = get_slice_points(25, "transcript_7", &Bounds::default()).unwrap();
        assert_eq!(points, [3, 7, 9, 11, 16, 21, 25]);
    }

    #[test]
    fn impossible_bounds_are_errors() {
        for (min_context, min_gap, max_gap) in [(0, 2, 5), (3, 0, 5), (3, 6, 5), (3, 2, usize::MAX)] {
            let bounds = Bounds { min_context, min_gap, max_gap };
            let error = get_slice_points(9, "t", &bounds).unwrap_err();
            assert_eq!(error.kind(), Kind::Argument);
        }
        assert_eq!(get_slice_points(usize::MAX, "t", &Bounds::default()).unwrap_err().kind(), Kind::Limit);
    }

    #[test]
    fn a_budget_skips_or_keeps_the_recent() {
        let whole = slice_transcript(&transcript(12), "Be kind.", &SliceOptions::new(100_000)).unwrap();
        assert_eq!(whole.over_budget, 0);
        assert!(whole.examples.iter().all(|example| example.first == 1 && !example.truncated));
        assert_eq!(whole.examples[0].messages[0], Message::new("system", "Be kind."));
        assert_eq!(whole.examples[0].group, "p");

        let tight = SliceOptions::new(whole.examples[1].tokens);
        let skipped = slice_transcript(&transcript(12), "Be kind.", &tight).unwrap();
        assert_eq!(skipped.examples, whole.examples[..2]);
        assert_eq!(skipped.over_budget, whole.examples.len() - 2);

        let recent = SliceOptions { over_budget: OverBudget::Recent, ..tight };
        let kept = slice_transcript(&transcript(12), "Be kind.", &recent).unwrap();
        assert_eq!(kept.examples.len() + kept.over_budget, whole.examples.len());
        assert!(kept.examples.iter().any(|example| example.truncated));
    }

    #[test]
    fn an_example_survives_writing_and_reading() {
        let example =
            slice_transcript(&transcript(3), "", &SliceOptions::new(1000)).unwrap().examples.remove(0);
        assert_eq!(example.messages.len(), 6);
        let text = serde_json::to_string(&example).unwrap();
        assert!(text.starts_with(r#"{"transcript":"t","group":"p","first":1,"last":3,"tokens":"#), "{text}");
        assert_eq!(serde_json::from_str::<Example>(&text).unwrap(), example);
    }

    proptest! {
        #[test]
        fn points_keep_their_bounds(
            total in 0_usize..300, id: String, min_context in 1_usize..9, min_gap in 1_usize..9, more in 0_usize..9,
        ) {
            let bounds = Bounds { min_context, min_gap, max_gap: min_gap + more };
            let points = get_slice_points(total, &id, &bounds).unwrap();
            prop_assert_eq!(points.is_empty(), total < min_context);
            if let (Some(first), Some(last)) = (points.first(), points.last()) {
                prop_assert!(*first == min_context && *last == total);
            }
            for (index, pair) in points.windows(2).enumerate() {
                let gap = pair[1] - pair[0];
                let at_end = index + 2 == points.len();
                prop_assert!(gap <= bounds.max_gap && (gap >= min_gap || at_end && gap >= 1));
            }
        }

        #[test]
        fn examples_keep_their_budget(turns in 0_usize..30, max_tokens in 0_usize..500) {
            let options = SliceOptions { over_budget: OverBudget::Recent, ..SliceOptions::new(max_tokens) };
            let whole = transcript(turns);
            for example in slice_transcript(&whole, "Be kind.", &options).unwrap().examples {
                prop_assert!(example.tokens <= max_tokens);
                prop_assert_eq!(example.tokens, count_messages(&example.messages, options.encoding));
                prop_assert!(example.last + 1 - example.first >= options.bounds.min_context);
                // One exchange more would not have fitted.
                if example.truncated {
                    let before = count_exchange(&whole.exchanges[example.first - 2], options.encoding);
                    prop_assert!(example.tokens + before > max_tokens);
                }
            }
        }
    }
}
