//! The integration tests, in one binary, since linking is what costs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod docs;
mod golden;
mod llm;
mod model_server;
mod store;
