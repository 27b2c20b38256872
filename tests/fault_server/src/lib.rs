//! A model server for tests: real HTTP on a local port, on the wires of all providers, with faults on
//! demand, and a bill of what it served.
//!
//! ```
//! use fault_server::{Answer, Fault, Faults, ModelServer};
//! let server = ModelServer::start();
//! server.push_reply(Answer::status(429).header("retry-after", "1")); // the next request gets it
//! server.set_faults(Faults { seed: 7, rate: 0.3, ..Faults::default() }); // three in ten of the others
//! server.set_allowed(100.0); // and no more than 100 calls a second
//! assert!(server.url().ends_with("/v1") && server.requests().is_empty());
//! assert_eq!(server.bill().len(), 0);
//! assert!(Fault::Reset.may_retry());
//! ```
//! A request with neither script nor fault gets the **usual reply**: a value that fits its schema (the first
//! of an enum, "ok" for a text), else a text. It depends on what is asked alone (system text, messages,
//! schema), and is the same on every wire; `tests/fake_claude.py` gives it, too.
//!
//! This is a tool for tests: a broken promise of the caller's panics.

mod allowance;
mod answer;
mod bill;
mod connection;
mod faults;
mod http;
mod reply;
mod request;
mod server;
mod state;
mod wires;

pub use allowance::{Allowance, Arrival, most_in_window, too_early};
pub use answer::Answer;
pub use bill::{Charge, Totals};
pub use faults::{Fault, Faults};
pub use reply::fit;
pub use request::{Logical, Message, Received};
pub use server::{BlackHole, ModelServer};
