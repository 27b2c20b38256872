//! Replies that refuse.

use super::chat::Chat;
use super::hits::{Hits, Measure, Totals, of, share};
use super::{Check, Setup};

/// Replies with a phrase of the list of refusals.
#[derive(Default)]
pub struct Refusals(Hits);

impl Check for Refusals {
    fn of(chat: &Chat, setup: &Setup) -> Refusals {
        let mut hits = Hits::default();
        for (turn, said) in chat.replies() {
            if let Some((_, place)) = setup.refusals.in_text(said) {
                hits.add(&chat.id, turn, 1, said, place);
            }
        }
        Refusals(hits)
    }

    fn merge(&mut self, later: Refusals) {
        self.0.merge(later.0);
    }

    fn measures(self, totals: &Totals, _: &Setup) -> Vec<Measure> {
        let message = format!("{} refuse", of(self.0.count, totals.replies, "replies"));
        vec![Measure::of_hits("refusals", share(self.0.count, totals.replies), self.0, message)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::{audited, audited_with, gate, varied};
    use super::super::words::Said;

    #[test]
    fn a_refusal_is_found_and_a_no_is_not() {
        let mut chats = varied(3, 4);
        chats[1].turns[1][1] = Said::new("I\u{2019}m sorry, but I can\u{2019}t do that.");
        chats[2].turns[1][1] = Said::new("There is no discount, and I can't make an exception.");
        let report = audited(chats);
        assert_eq!((report.findings.len(), gate(&report, "refusals").value), (1, 0.083_333));
        assert_eq!((&*report.findings[0].ids[0], report.findings[0].examples[0].turn), ("t001", 2));
    }

    #[test]
    fn another_list_of_refusals() {
        let mut chats = varied(3, 4);
        chats[0].turns[0][1] = Said::new("Dabei kann ich leider nicht helfen.");
        let refusals = Some(vec!["kann ich leider nicht".to_string()]);
        assert!(!gate(&audited_with(chats, Options { refusals, ..Options::default() }), "refusals").pass);
    }
}
