//! The integration tests, in one binary, since linking is what costs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adapter;
mod budget;
mod check;
mod check_live;
mod claude;
mod claude_hostile;
mod cli;
mod dead_backends;
mod deadlines;
mod docs;
mod doctor;
mod dry_run;
mod every_backend;
mod faults;
mod going_live;
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
mod retry;
mod sizes;
mod status;
mod stops;
mod store;
mod support;
mod wires;
