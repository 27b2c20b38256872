//! The host API: what scripts call. One thin file a namespace (convert, call, convert), and one
//! table that lists them.

mod adapter;
mod agreeing;
mod auditing;
mod backend_script;
pub mod backends;
pub mod checkpoints;
mod dimensions;
pub mod embedded;
pub mod examples;
pub mod files;
mod items;
pub mod lengths;
pub mod local;
pub mod messages;
pub mod options;
pub mod passing;
pub mod processing;
pub mod random;
pub mod reader;
pub mod rubrics;
pub mod sampling;
pub mod scoring;
pub mod session;
pub mod slices;
pub mod surroundings;
pub mod table;
pub mod templates;
pub mod testing;
pub mod text;
pub mod tokens;
pub mod training;
pub mod transcripts;
pub mod weighted;

pub use session::Session;
