//! The ledger: every reply that was paid for, on disk before a script sees it, and found again by the item
//! and the question. Above this layer nobody knows what keeps it: a database in a file today.

mod guard;
mod health;
mod nothing;
mod open;
mod read;
mod read_only;
mod salvage;
mod spent;
mod sqlite;
mod writer;

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use crate::base::latency::Latency;
use crate::base::{Error, Kind, Result};

pub use health::{Health, examine};
pub use nothing::Nothing;
pub use read_only::ReadOnly;
pub use salvage::{Salvaged, salvage};
pub use spent::{ReplyLengths, Sums};
pub use sqlite::SqliteLedger;

/// Where it stands, below the project's root.
pub const PATH: &str = ".fthost/ledger.sqlite";

/// What a ledger does.
pub trait Ledger: Send + Sync {
    /// An error for a ledger that cannot be trusted: its whole file is looked through. One that is not there
    /// yet is none.
    fn check(&self) -> Result<()>;

    /// An error when nothing more can be kept: then nothing more may be paid for.
    fn ready(&self) -> Result<()>;

    /// Keeps an entry. `done` is called once it is on disk, with the number of its row, or with why it is not.
    /// Entries are kept in the order in which they were given.
    fn write(&self, entry: Entry, done: Done);

    /// What is known of an item.
    fn past(&self, item: &ItemKey) -> Result<Past>;

    /// What other commands have spent since the given row, by backend, and the row to ask from next time.
    fn spent_by_others(&self, since: i64) -> Result<(BTreeMap<String, Sums>, i64)>;

    /// How long the latest replies of each backend were.
    fn reply_lengths(&self) -> Result<ReplyLengths>;

    /// Every job.
    fn jobs(&self) -> Result<Vec<JobState>>;

    /// How long the replies of the run that got the latest one took, by backend.
    fn latencies(&self) -> Result<BTreeMap<String, Latency>>;

    /// The item of a job that is in work for the longest time in its latest run, by the first reply that it got there.
    fn oldest_in_work(&self, job: &str) -> Result<Option<Begun>>;

    /// Calls `each` with every item of a job that made calls, one in memory at a time.
    fn for_each_item(&self, job: &str, each: &mut dyn FnMut(ItemState)) -> Result<()>;

    /// Brings all that was given to disk, and closes it.
    fn close(&self);
}

/// What is called when an entry is on disk, or cannot be.
pub type Done = Box<dyn FnOnce(Result<i64>) + Send>;

/// For entries that nobody waits for: a failure stops the run all the same.
pub fn nobody_waits() -> Done {
    Box::new(|_| {})
}

/// Keeps an entry; it is on disk when this returns.
pub fn write_now(ledger: &dyn Ledger, entry: Entry) -> Result<i64> {
    let (sender, receiver) = mpsc::sync_channel(1);
    ledger.write(entry, Box::new(move |written| drop(sender.send(written))));
    receiver.recv().unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the ledger ended too early")))
}

/// An item of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemKey {
    /// The job's name: the checkpoint's path, or what the script calls it.
    pub job: Arc<str>,
    /// The item's id.
    pub item: Arc<str>,
}

/// The hash of a request: half of a SHA-256.
pub type RequestHash = [u8; 16];

/// Where in an item a question was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The element indexes of the enclosing `parallel_map`s: `2/0`; empty outside of them.
    pub branch: String,
    /// What was asked, and whom.
    pub request: RequestHash,
    /// How often the branch had asked the same before.
    pub n: u32,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A reply, or a request that may cost something and brought none.
    Reply {
        /// Whose it is; none outside of items.
        place: Option<(ItemKey, Place)>,
        /// The reply.
        reply: Box<KeptReply>,
    },
    /// What the clock said to an item.
    Time {
        /// The item.
        item: ItemKey,
        /// The branch that asked.
        branch: String,
        /// How often it had asked before.
        n: u32,
        /// The answer.
        time: String,
    },
    /// An item's end. Replies of an item that did not become complete count only if they are of use.
    End {
        /// The item.
        item: ItemKey,
        /// How it ended.
        ending: Ending,
    },
    /// An item's replies count no more, except as money spent.
    Forget(ItemKey),
    /// A job begins.
    Job(JobPlan),
}

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a record that counts.
    Complete,
    /// With a record that says of itself that it does not count.
    Incomplete,
    /// With an error.
    Failed,
}

impl Ending {
    /// Its name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Complete => "complete",
            Ending::Incomplete => "incomplete",
            Ending::Failed => "failed",
        }
    }
}

/// What is known of a job when it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobPlan {
    /// Its name.
    pub name: String,
    /// Its checkpoint, if it has one.
    pub checkpoint: Option<String>,
    /// The script that began it.
    pub script: String,
    /// The settings that it was given: `-s personas=5`.
    pub settings: String,
    /// Its items; none when only some of them were looked at.
    pub total: Option<usize>,
    /// Those that this run will work on.
    pub to_do: usize,
}

impl JobPlan {
    /// The script with its settings, as they stand on a command line; none when nobody knows.
    pub fn command(&self) -> Option<String> {
        let words = format!("fthost run {} {}", self.script, self.settings);
        (!self.script.is_empty()).then(|| words.trim_end().to_string())
    }
}

/// A reply as it is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeptReply {
    /// The row of the reply that it was to repair.
    pub repairs: Option<i64>,
    /// The backend's name.
    pub backend: String,
    /// The model, as the server names it.
    pub model: Option<String>,
    /// Whether it was to fit a schema.
    pub structured: bool,
    /// How it ended: the name of an outcome, or [`LOST`].
    pub outcome: String,
    /// Its text.
    pub content: Option<String>,
    /// What the model thought first.
    pub reasoning: Option<String>,
    /// The server's word for how it ended.
    pub finish_reason: Option<String>,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the reply.
    pub output_tokens: u64,
    /// Those of the prompt that were cached.
    pub cached_tokens: u64,
    /// Those of the reply that were reasoning.
    pub reasoning_tokens: u64,
    /// Dollars; none where there is no price.
    pub usd: Option<f64>,
    /// Whether nobody knows what it cost: `usd` is then the worst case.
    pub unknown: bool,
    /// From sending to the end of the reply, in milliseconds.
    pub latency_ms: Option<u64>,
    /// Requests that the call took.
    pub attempts: Option<u64>,
}

/// The outcome of a reply that counts wherever it is found again.
pub const OK: &str = "ok";

/// The outcome of a request that brought no reply, and may have been paid for.
pub const LOST: &str = "lost";

/// What is known of an item: what may be replayed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// Its replies, oldest first, by row.
    pub replies: Vec<(i64, Place, KeptReply)>,
    /// What the clock said: the branch, how often it had asked before, the answer.
    pub times: Vec<(String, u32, String)>,
}

/// A job as the ledger knows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobState {
    /// What was known when it last began; the counts are 0 for jobs inside of items.
    pub plan: JobPlan,
    /// When it last began.
    pub begun: Option<String>,
}

/// An item as the ledger knows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemState {
    /// Its id.
    pub item: String,
    /// `begun`, `complete`, `incomplete` or `failed`.
    pub state: String,
    /// What its replies came to; forgotten ones are left out.
    pub spent: Sums,
    /// How many of them may be replayed.
    pub kept: u64,
    /// What these came to in dollars.
    pub kept_usd: f64,
}

/// An item in work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its id.
    pub item: String,
    /// When it got its first reply, as RFC 3339 in UTC.
    pub since: String,
}

#[cfg(test)]
mod tests;
