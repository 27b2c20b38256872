//! The list of wires: a new provider on HTTP is a file with its wire, a line here, and a line in the
//! list of kinds (`base::config::kinds`) with what the configuration must know of it.

use super::wire::{Setup, Wire};
use super::{anthropic, google, openai, openai_chat};

/// Makes the wire of a backend.
pub type MakeWire = fn(Setup) -> Box<dyn Wire>;

/// The wire of every kind that speaks HTTP.
pub const WIRES: &[(&str, MakeWire)] = &[
    ("openai", openai::wire),
    ("openai-chat", openai_chat::wire),
    ("google", google::wire),
    ("anthropic", anthropic::wire),
];

/// The wire of a kind.
pub fn wire_of(kind: &str) -> Option<MakeWire> {
    WIRES.iter().find(|(name, _)| *name == kind).map(|(_, wire)| *wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::kinds::{Answers, kind_of};

    #[test]
    fn the_configuration_knows_every_kind() {
        let server = |name: &str| kind_of(name).is_some_and(|kind| kind.answers == Answers::Server);
        assert!(WIRES.iter().all(|(name, _)| server(name)));
    }
}
