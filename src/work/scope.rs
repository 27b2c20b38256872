//! Which item and branch a call works for. The ledger finds paid replies again by it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::replay::Replay;
use crate::base::{Error, Kind, Result};

/// Where a call belongs.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The item's id; none outside of `process`.
    pub item: Option<Arc<str>>,
    /// What the item was answered already; none outside of `process`.
    pub replay: Option<Arc<Replay>>,
    /// The elements of the enclosing `parallel_map`s, outermost first.
    pub branch: Vec<Step>,
    /// When the item has had its time.
    pub deadline: Option<Instant>,
    /// Why no model may be asked here, where that is so.
    pub no_calls: Option<&'static str>,
    /// For how many items this one stands in a dry run.
    pub weight: Option<f64>,
}

impl Scope {
    /// The scope of one item.
    pub fn item(id: &str, deadline: Option<Instant>) -> Scope {
        Scope { item: Some(id.into()), deadline, ..Scope::default() }
    }

    /// The same, inside of an outer scope: in no more time than that has left, without calls where those
    /// are not allowed, and in a dry run for as many items.
    pub fn within(mut self, outer: &Scope) -> Scope {
        self.deadline = self.deadline.into_iter().chain(outer.deadline).min();
        self.no_calls = self.no_calls.or(outer.no_calls);
        self.weight = outer.weight.or(self.weight);
        self
    }

    /// The scope of one element of a `parallel_map`.
    pub fn branch(&self, step: Step) -> Scope {
        let mut scope = self.clone();
        scope.branch.push(step);
        scope
    }

    /// The same, where no model may be asked, for this reason.
    pub fn without_calls(&self, why: &'static str) -> Scope {
        Scope { no_calls: Some(why), ..self.clone() }
    }

    /// An error where no model may be asked.
    pub fn check_calls(&self) -> Result<()> {
        match self.no_calls {
            Some(why) => Err(Error::new(Kind::Denied, why).hint("ask in the item's closure")),
            None => Ok(()),
        }
    }

    /// An error once the item has had its time.
    pub fn check_deadline(&self) -> Result<()> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(out_of_time()),
            _ => Ok(()),
        }
    }
}

/// One element of a `parallel_map`, as the ledger tells it from the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// By its place.
    Index(usize),
    /// By a key of its own, which stays when others come before it: see [`key`](Step::key).
    Key(Arc<str>),
}

impl Step {
    /// By a key. In names of branches it can be taken neither for an index nor for more than one step.
    pub fn key(text: &str) -> Step {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let mut name = String::with_capacity(text.len() + 1);
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            name.push('=');
        }
        for byte in text.bytes() {
            match plain(byte) {
                true => name.push(char::from(byte)),
                false => name.push_str(&format!("%{byte:02X}")),
            }
        }
        Step::Key(name.into())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Index(index) => index.fmt(f),
            Step::Key(name) => f.write_str(name),
        }
    }
}

/// The error of an item that took too long.
pub fn out_of_time() -> Error {
    Error::new(Kind::Limit, "this item took longer than it may")
        .hint("raise limits.item_minutes in config/fthost.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_inside_of_another_gets_around_nothing() {
        let soon = Instant::now();
        let outer = Scope { deadline: Some(soon), ..Scope::default() }.without_calls("not here");
        let inner = Scope::item("a", None).within(&outer);
        assert_eq!(inner.deadline, Some(soon));
        assert_eq!(inner.check_calls().unwrap_err().message(), "not here");
        assert!(Scope::item("a", None).within(&Scope::default()).check_calls().is_ok());
    }

    #[test]
    fn no_key_looks_like_an_index_or_like_several_steps() {
        let keys = ["C1", "gpt-4o", "12", "", "a/b", "=12", "ü %", "%2F", "] of x"];
        let names = keys.map(|key| Step::key(key).to_string());
        assert_eq!(
            names,
            ["C1", "gpt-4o", "=12", "=", "a%2Fb", "%3D12", "%C3%BC%20%25", "%252F", "%5D%20of%20x"]
        );
        assert_eq!(Step::Index(12).to_string(), "12");
    }
}
