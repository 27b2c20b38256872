//! How far the judges agree, over all records of a checkpoint.

use serde_json::Value;

use super::{World, in_order};
use crate::base::Result;
use crate::pipeline::agreement::{Agreement, Tally};
use crate::store::Checkpoint;

/// Reads the last record of each id, on all cores; `counts` says which of them tell something. `criteria` are listed in
/// their order.
pub fn agreement<'a>(
    world: &World,
    records: &Checkpoint,
    criteria: impl IntoIterator<Item = &'a str>,
    counts: impl Fn(&Value) -> bool + Sync,
) -> Result<Agreement> {
    let mut tally = Tally::of(criteria);
    let read = |place: usize| {
        world.stop.check()?;
        let record = records.at(place).map(|(_, entry)| records.read(&entry)).transpose()?;
        Ok(record.filter(&counts))
    };
    in_order::run(&world.threads, in_order::cores(), 0..records.len(), read, |record| {
        record.iter().for_each(|record| tally.add(record));
        Ok(())
    })?;
    Ok(tally.agreement())
}
