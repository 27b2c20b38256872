//! What every layer may use: errors, places in files, configuration, events, cancellation.

pub mod cancel;
pub mod config;
pub mod error;
pub mod escape;
pub mod events;
pub mod hash;
pub mod json;
pub mod latency;
pub mod numbers;
pub mod panic;
pub mod report;
pub mod scan;
pub mod suggest;
pub mod yaml;
pub mod yaml_nodes;

pub use error::{Error, Frame, Kind, Place, Result};
