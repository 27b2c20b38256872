//! A reserved sum on its way: what the worst case of a prompt is, and what becomes of it.

use super::Budget;
use super::caps::Cost;
use crate::llm::Request;
use crate::llm::purse::{Bill, Charge, Payment, Reservation};
use crate::store::ledger::Entry;
use crate::work::replay::paid;

/// Tokens that a provider adds to a prompt, at the most: around all of it, and around each message.
const AROUND: (usize, usize) = (64, 16);

/// What the model reads, in bytes, with what the provider adds.
pub(super) fn size(request: &Request) -> usize {
    request.bytes() + AROUND.0 + AROUND.1 * request.messages.len()
}

/// How many tokens a backend makes of a byte.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Density {
    /// The most that was seen; 0 before the first reply.
    densest: f64,
}

impl Density {
    /// The most tokens of a prompt of that size: no tokenizer makes more than one of a byte; and once
    /// replies have shown how many this one makes, no text is taken to have more than twice as many.
    pub fn most_tokens(&self, size: usize) -> u64 {
        let twice = if self.densest > 0.0 { self.densest * 2.0 } else { 1.0 };
        (size as f64 * twice.min(1.0).max(self.densest)).ceil() as u64
    }

    /// Takes in what a server counted.
    pub fn learn(&mut self, size: usize, tokens: u64) {
        self.densest = self.densest.max(tokens as f64 / size.max(1) as f64);
    }
}

/// A reservation of a [`Budget`].
pub(super) struct Held {
    budget: Budget,
    backend: String,
    structured: bool,
    pub size: usize,
    pub worst: Cost,
    settled: bool,
}

impl Held {
    pub fn new(budget: Budget, payment: &Payment, worst: Cost) -> Held {
        Held {
            budget,
            backend: payment.backend.into(),
            structured: payment.request.schema.is_some(),
            size: size(payment.request),
            worst,
            settled: false,
        }
    }

    /// The backend that was asked.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// What is written down of a request that brought no reply.
    pub fn lost(&self, charge: Charge) -> Entry {
        Entry::Reply { place: None, reply: Box::new(paid(&self.backend, self.structured, &charge)) }
    }

    /// Ends it, once.
    fn end(&mut self, bill: Bill) -> Option<Charge> {
        if std::mem::replace(&mut self.settled, true) {
            return None;
        }
        let charge = Charge::of(bill, self.worst.usd);
        self.budget.0.settle(self, charge);
        charge
    }

    fn end_without_reply(&mut self, bill: Bill) {
        if let Some(charge) = self.end(bill) {
            self.budget.0.write_lost(self.lost(charge));
        }
    }
}

impl Reservation for Held {
    fn replied(mut self: Box<Self>, bill: Bill) -> Charge {
        self.end(bill).unwrap_or_default()
    }

    fn failed(mut self: Box<Self>, bill: Bill) {
        self.end_without_reply(bill);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end_without_reply(Bill::Unknown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_case_follows_what_servers_count() {
        let mut density = Density::default();
        assert_eq!(density.most_tokens(1000), 1000);
        density.learn(1000, 250);
        assert_eq!(density.most_tokens(1000), 500);
        density.learn(1000, 700);
        assert_eq!(density.most_tokens(1000), 1000);
        density.learn(100, 460);
        assert_eq!(density.most_tokens(1000), 4600);
    }
}
