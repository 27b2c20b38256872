//! Talking to language models: what a request and a reply are, the providers' wires, and around
//! them retries, limits, schemas and the care for keys.
//!
//! A [`Backend`] is the way in. Under it stands a [`provider::Provider`]; those that speak HTTP share
//! [`transport`] and differ in one pure [`wire::Wire`] each, all listed in [`table`].

pub mod adapter;
mod anthropic;
pub mod backend;
mod child;
mod classify;
mod claude;
mod claude_says;
pub mod dialect;
pub mod failure;
mod google;
pub mod limits;
mod openai;
mod openai_chat;
pub mod outcome;
pub mod provider;
pub mod purse;
pub mod request;
pub mod retry;
pub mod schema;
pub mod secret;
pub mod stats;
pub mod stub;
pub mod table;
pub mod text;
pub mod transport;
mod unique;
pub mod wire;

pub use backend::{Answered, Backend, Identity, Shared};
pub use outcome::{Outcome, Reply, Usage};
pub use request::{Message, Params, Request};
pub use schema::Schema;
pub use secret::Secret;
pub use stats::{Stats, Waiting};
pub use text::Text;
pub use transport::Http;
