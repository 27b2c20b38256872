//! What it cost, by backend, and how long replies took.

use serde::Serialize;

use crate::base::Result;
use crate::base::latency::Latency;
use crate::store::ledger::Sums;
use crate::work::World;

/// What was spent by all commands.
#[derive(Debug, Default, Serialize)]
pub struct Cost {
    /// Each backend that was asked.
    pub backends: Vec<OfBackend>,
    /// All of them.
    pub all: Sums,
}

/// A backend.
#[derive(Debug, Serialize)]
pub struct OfBackend {
    /// Its name.
    pub backend: String,
    /// Its model, as configured.
    pub model: Option<String>,
    /// The roles that it has in the configuration.
    pub roles: Vec<String>,
    /// What it was asked and what that cost.
    #[serde(flatten)]
    pub sums: Sums,
    /// How long its replies took in the last run, in milliseconds: half of them, 95 in a hundred, the longest.
    pub latency_ms: Option<[u64; 3]>,
}

/// The figures.
pub fn of(world: &World) -> Result<Cost> {
    let spent = world.ledger.spent_by_others(0)?.0;
    let latencies = world.ledger.latencies()?;
    let all = Sums::of(spent.values());
    let took = |latency: &Latency| [latency.percentile_ms(50), latency.percentile_ms(95), latency.max_ms()];
    let backend = |(name, sums): (String, Sums)| OfBackend {
        model: world.config.backends.get(&name).and_then(|backend| backend.model.clone()),
        roles: roles(world, &name),
        latency_ms: latencies.get(&name).map(took),
        backend: name,
        sums,
    };
    let mut backends: Vec<OfBackend> = spent.into_iter().map(backend).collect();
    backends.sort_by(|a, b| b.sums.usd.total_cmp(&a.sums.usd).then(b.sums.calls.cmp(&a.sums.calls)));
    Ok(Cost { backends, all })
}

fn roles(world: &World, backend: &str) -> Vec<String> {
    let roles = world.config.roles.iter();
    let has = roles.filter(|(_, role)| role.choices.iter().any(|choice| choice.backend == backend));
    has.map(|(name, _)| name.clone()).collect()
}
