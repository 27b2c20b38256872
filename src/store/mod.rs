//! Files that must not be lost, and files that scripts may touch: the project's root as a handle that
//! nothing leaves, whole-or-nothing writes, durable appends, locks, checkpoints, and the ledger of paid replies.

mod append;
pub mod atomic;
pub mod checkpoint;
pub mod failed;
pub mod found;
pub mod head;
pub mod ids;
mod index;
mod known;
pub mod ledger;
mod lines;
mod load;
pub mod lock;
mod mend;
pub mod paths;
pub mod project;
pub mod rewrite;
mod scratch;
pub mod snapshots;
pub mod survey;
pub mod version;

pub use checkpoint::{Checkpoint, Entry, Mode, Opened};
pub use failed::{FailedFile, FailedItem};
pub use project::Project;
pub use rewrite::Rewrite;
pub use version::Version;
