//! What a round cost: calls that were made, and those that needed not to be.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::numbers::{count, thousands};
use crate::store::ledger::Sums;
use crate::work::World;
use crate::work::backends::Spent;
use crate::work::budget::dollars;

/// The calls of a round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calls {
    /// What each backend did that is no script.
    pub models: Vec<(String, Spent)>,
    /// Calls that scripts answered.
    pub scripts: u64,
    /// Replies that were given again.
    pub replayed: u64,
    /// How long the round took.
    pub took: Duration,
}

impl Calls {
    /// Those of a world in which nothing runs any more.
    pub fn of(world: &World, took: Duration) -> Calls {
        let asked = |spent: &Spent| spent.calls + spent.unanswered > 0;
        let spent = world.backends.spent().into_iter().filter(|(_, spent)| asked(spent));
        let (scripts, models): (Vec<_>, Vec<_>) = spent.partition(|(_, spent)| spent.estimated);
        let scripts = scripts.iter().map(|(_, spent)| spent.calls).sum();
        Calls { models, scripts, replayed: world.replayed.load(Ordering::Relaxed), took }
    }

    /// `12 new (gpt 10, local 2), 18 given again; 1,234 tokens in, 567 out, $0.03; 4.2 s`
    pub fn text(&self) -> String {
        let mut parts = vec![self.counts()];
        parts.extend(self.tokens());
        parts.push(format!("{:.1} s", self.took.as_secs_f64()));
        parts.join("; ")
    }

    fn counts(&self) -> String {
        let sum = |of: fn(&Spent) -> u64| self.models.iter().map(|(_, spent)| of(spent)).sum::<u64>();
        let (new, unanswered) = (sum(|spent| spent.calls), sum(|spent| spent.unanswered));
        let names: Vec<String> =
            self.models.iter().map(|(name, spent)| format!("{name} {}", thousands(spent.calls))).collect();
        let mut parts = Vec::new();
        if !self.models.is_empty() || self.scripts == 0 {
            let names = if names.len() > 1 { format!(" ({})", names.join(", ")) } else { String::new() };
            parts.push(format!("{} new{names}", thousands(new)));
        }
        let mut add = |n: u64, what: &str| parts.extend((n > 0).then(|| format!("{} {what}", thousands(n))));
        add(unanswered, "without a reply");
        add(self.replayed, "given again at no cost");
        add(self.scripts, "answered by scripts");
        parts.join(", ")
    }

    fn tokens(&self) -> Option<String> {
        let sum = |of: fn(&Spent) -> u64| self.models.iter().map(|(_, spent)| of(spent)).sum::<u64>();
        let usd = self.models.iter().filter_map(|(_, spent)| spent.usd).reduce(|a, b| a + b);
        let usd = usd.map(|usd| format!(", {}", dollars(usd))).unwrap_or_default();
        let (input, output) = (sum(|spent| spent.input_tokens), sum(|spent| spent.output_tokens));
        (!self.models.is_empty())
            .then(|| format!("{} tokens in, {} out{usd}", thousands(input), thousands(output)))
    }
}

/// What several rounds came to.
pub fn total(spent: &Sums) -> String {
    match spent.calls {
        0 => "no new calls".into(),
        calls => {
            let usd = if spent.usd > 0.0 { format!(", {}", dollars(spent.usd)) } else { String::new() };
            let (input, output) = (thousands(spent.input_tokens), thousands(spent.output_tokens));
            format!("{}, {input} tokens in, {output} out{usd}", count(calls as usize, "new call"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(calls: u64, usd: Option<f64>) -> Spent {
        Spent { calls, input_tokens: calls * 100, output_tokens: calls * 10, usd, ..Spent::default() }
    }

    #[test]
    fn costs_are_one_line() {
        let took = Duration::from_millis(4240);
        let models = vec![("gpt".to_string(), spent(10, Some(0.03))), ("local".to_string(), spent(2, None))];
        let calls = Calls { models, scripts: 0, replayed: 18, took };
        assert_eq!(
            calls.text(),
            "12 new (gpt 10, local 2), 18 given again at no cost; 1,200 tokens in, 120 out, $0.03; 4.2 s"
        );
        assert_eq!(Calls { took, ..Calls::default() }.text(), "0 new; 4.2 s");
        assert_eq!(Calls { took, scripts: 70, ..Calls::default() }.text(), "70 answered by scripts; 4.2 s");
    }

    #[test]
    fn all_rounds_are_summed_up() {
        assert_eq!(total(&Sums::default()), "no new calls");
        let sums = Sums { calls: 2, input_tokens: 1500, output_tokens: 3, usd: 0.5, unknown: 0 };
        assert_eq!(total(&sums), "2 new calls, 1,500 tokens in, 3 out, $0.50");
    }
}
