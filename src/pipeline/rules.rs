//! How examples become training files: what the options of `write_training_data` say.

use super::lines::Draft;
use crate::base::{Error, Kind, Result};

/// Which assistant messages are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loss {
    /// `all`: every one, in every example.
    #[default]
    All,
    /// `new`: only those that no earlier slice of the same transcript carries; the others get
    /// `"weight": 0`, so that early turns are not learned many times over.
    New,
}

impl Loss {
    /// By its name, `all` or `new`.
    pub fn named(name: &str) -> Result<Loss> {
        match name {
            "all" => Ok(Loss::All),
            "new" => Ok(Loss::New),
            _ => {
                Err(Error::new(Kind::Argument, format!("`loss` is `{name}`"))
                    .hint("it is \"all\" or \"new\""))
            }
        }
    }
}

/// What must not be on both sides of the split, by the key of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupBy {
    /// `group`: the persona's id, else the transcript's.
    #[default]
    Group,
    /// `transcript`.
    Transcript,
    /// `first`.
    First,
    /// `last`.
    Last,
    /// `tokens`.
    Tokens,
    /// `truncated`.
    Truncated,
    /// `offline`.
    Offline,
}

impl GroupBy {
    /// By the name of the key.
    pub fn named(name: &str) -> Result<GroupBy> {
        Ok(match name {
            "group" => GroupBy::Group,
            "transcript" => GroupBy::Transcript,
            "first" => GroupBy::First,
            "last" => GroupBy::Last,
            "tokens" => GroupBy::Tokens,
            "truncated" => GroupBy::Truncated,
            "offline" => GroupBy::Offline,
            _ => {
                return Err(Error::new(Kind::Argument, format!("an example has no `{name}` to group by"))
                    .hint("`group` names a key of the examples, such as \"transcript\""));
            }
        })
    }

    /// The group of an example.
    pub(super) fn of(self, draft: &Draft) -> String {
        match self {
            GroupBy::Group => draft.group.to_string(),
            GroupBy::Transcript => draft.transcript.to_string(),
            GroupBy::First => draft.first.to_string(),
            GroupBy::Last => draft.last.to_string(),
            GroupBy::Tokens => draft.tokens.to_string(),
            GroupBy::Truncated => draft.truncated.to_string(),
            GroupBy::Offline => draft.offline.to_string(),
        }
    }
}

/// How examples become training files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The share of groups to hold out (0 <= share < 1; 0 holds out nothing): see [`side_of`](super::split::side_of).
    pub validation: f64,
    /// What is learned from.
    pub loss: Loss,
    /// What a group is.
    pub group: GroupBy,
    /// Whether text made offline may stand beside a real model's.
    pub mix_offline: bool,
}
