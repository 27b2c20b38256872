//! A ledger that keeps nothing: for dry runs, which read what is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Begun, Done, Entry, ItemKey, ItemState, JobState, Ledger, Past, ReplyLengths, Sums};
use crate::base::Result;
use crate::base::latency::Latency;

/// Reads another ledger, and forgets what it is given.
pub struct ReadOnly(Arc<dyn Ledger>);

impl ReadOnly {
    /// What this one reads.
    pub fn of(ledger: Arc<dyn Ledger>) -> ReadOnly {
        ReadOnly(ledger)
    }
}

impl Ledger for ReadOnly {
    fn check(&self) -> Result<()> {
        self.0.check()
    }

    fn ready(&self) -> Result<()> {
        Ok(())
    }

    fn write(&self, _entry: Entry, done: Done) {
        done(Ok(0));
    }

    fn past(&self, item: &ItemKey) -> Result<Past> {
        self.0.past(item)
    }

    fn spent_by_others(&self, since: i64) -> Result<(BTreeMap<String, Sums>, i64)> {
        self.0.spent_by_others(since)
    }

    fn reply_lengths(&self) -> Result<ReplyLengths> {
        self.0.reply_lengths()
    }

    fn jobs(&self) -> Result<Vec<JobState>> {
        self.0.jobs()
    }

    fn latencies(&self) -> Result<BTreeMap<String, Latency>> {
        self.0.latencies()
    }

    fn oldest_in_work(&self, job: &str) -> Result<Option<Begun>> {
        self.0.oldest_in_work(job)
    }

    fn for_each_item(&self, job: &str, each: &mut dyn FnMut(ItemState)) -> Result<()> {
        self.0.for_each_item(job, each)
    }

    fn close(&self) {
        self.0.close();
    }
}
