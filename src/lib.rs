//! `fthost` makes fine-tuning data from multi-turn conversations: two LLM agents talk, LLM judges
//! assess each transcript by a YES / NO / NA rubric, the passing ones are sliced into training
//! examples. The core is here; what differs between domains is the user's Rhai scripts.
//!
//! The layers, each using only those below it (held by `tests/suite/layers.rs`):
//! `cli` > `author` > `host` > `script` > `report` > `work` > `llm`, `store`, `pipeline` > `base`.

pub mod author;
pub mod base;
pub mod cli;
pub mod host;
pub mod llm;
pub mod pipeline;
pub mod report;
pub mod script;
pub mod store;
pub mod work;
