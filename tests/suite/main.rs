//! The integration tests, in one binary, since linking is what costs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod golden;
mod llm;
mod model_server;
mod reference;
mod store;
