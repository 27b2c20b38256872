//! The bill: what a provider would charge for. A charge is written before the last byte of its answer
//! leaves, so that no client can hold a reply that is not on the bill.

use std::fs::File;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::answer::{Asked, Plan};

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Charge {
    /// The number of the request, by arrival, from 1.
    pub sequence: u64,
    /// When, in seconds since 1970.
    pub time: f64,
    /// The path of the request.
    pub path: String,
    /// The model that was asked for.
    pub model: String,
    /// The hash of what was asked, the same on all wires.
    pub hash: String,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the reply.
    pub output_tokens: u64,
    /// `usual`, or the name of the fault or script.
    pub kind: String,
    /// Whether the client got only a part of it.
    pub partial: bool,
}

impl Charge {
    pub(crate) fn new(asked: &Asked, plan: &Plan) -> Charge {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Charge {
            sequence: asked.sequence,
            time: since.as_millis() as f64 / 1000.0,
            path: asked.request.path.clone(),
            model: asked.logical.model.clone(),
            hash: asked.logical.hash(),
            input_tokens: asked.input,
            output_tokens: plan.output,
            kind: plan.kind.into(),
            partial: false,
        }
    }
}

/// The sums of a bill; what was served in part is counted, not summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Answers that were served in full.
    pub calls: u64,
    /// Tokens of their prompts.
    pub input_tokens: u64,
    /// Tokens of their replies.
    pub output_tokens: u64,
    /// Answers that were served in part.
    pub partial: u64,
}

/// All charges, and the file that they are appended to: one JSON line each. A charge whose last byte did
/// not leave gets a second line, with `partial`: the last line of a sequence number counts.
#[derive(Default)]
pub(crate) struct Bill {
    charges: Vec<Charge>,
    file: Option<File>,
}

impl Bill {
    pub fn write_to(&mut self, file: File) {
        self.file = Some(file);
    }

    pub fn add(&mut self, charge: Charge) {
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&charge).expect("a charge is JSON") + "\n";
            file.write_all(line.as_bytes()).expect("the bill can be written");
        }
        if charge.partial {
            self.charges.retain(|known| known.sequence != charge.sequence);
        }
        self.charges.push(charge);
    }

    /// What was served in full, or only in part.
    pub fn charges(&self, partial: bool) -> Vec<Charge> {
        self.charges.iter().filter(|charge| charge.partial == partial).cloned().collect()
    }

    pub fn totals(&self) -> Totals {
        self.charges.iter().fold(Totals::default(), |mut totals, charge| {
            if charge.partial {
                totals.partial += 1;
            } else {
                totals.calls += 1;
                totals.input_tokens += charge.input_tokens;
                totals.output_tokens += charge.output_tokens;
            }
            totals
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_a_charge_counts() {
        let mut bill = Bill::default();
        let charge = |sequence, partial| Charge {
            sequence,
            time: 0.0,
            path: "/p".into(),
            model: "m".into(),
            hash: "h".into(),
            input_tokens: 2,
            output_tokens: 1,
            kind: "usual".into(),
            partial,
        };
        for (sequence, partial) in [(1, false), (2, false), (1, true)] {
            bill.add(charge(sequence, partial));
        }
        assert_eq!(
            (bill.charges(false), bill.charges(true)),
            (vec![charge(2, false)], vec![charge(1, true)])
        );
        assert_eq!(bill.totals(), Totals { calls: 1, input_tokens: 2, output_tokens: 1, partial: 1 });
    }
}
