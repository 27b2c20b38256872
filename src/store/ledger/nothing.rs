//! A ledger that knows nothing and keeps nothing: for tests of scripts, which make no paid calls.

use std::collections::BTreeMap;

use super::{Begun, Done, Entry, ItemKey, ItemState, JobState, Ledger, Past, ReplyLengths, Sums};
use crate::base::Result;
use crate::base::latency::Latency;

/// Is always empty.
pub struct Nothing;

impl Ledger for Nothing {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn ready(&self) -> Result<()> {
        Ok(())
    }

    fn write(&self, _entry: Entry, done: Done) {
        done(Ok(0));
    }

    fn past(&self, _item: &ItemKey) -> Result<Past> {
        Ok(Past::default())
    }

    fn spent_by_others(&self, since: i64) -> Result<(BTreeMap<String, Sums>, i64)> {
        Ok((BTreeMap::new(), since))
    }

    fn reply_lengths(&self) -> Result<ReplyLengths> {
        Ok(ReplyLengths::default())
    }

    fn jobs(&self) -> Result<Vec<JobState>> {
        Ok(Vec::new())
    }

    fn latencies(&self) -> Result<BTreeMap<String, Latency>> {
        Ok(BTreeMap::new())
    }

    fn oldest_in_work(&self, _job: &str) -> Result<Option<Begun>> {
        Ok(None)
    }

    fn for_each_item(&self, _job: &str, _each: &mut dyn FnMut(ItemState)) -> Result<()> {
        Ok(())
    }

    fn close(&self) {}
}
