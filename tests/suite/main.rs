//! The integration tests, in one binary, since linking is what costs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adapter;
mod check;
mod claude;
mod cli;
mod dead_backends;
mod deadlines;
mod docs;
mod every_backend;
mod faults;
mod golden;
mod golden_rhai;
mod keys;
mod layers;
mod live;
mod llm;
mod pipeline_run;
mod process;
mod progress;
mod rate_limits;
mod reference;
mod sizes;
mod stops;
mod store;
mod support;
mod wires;
