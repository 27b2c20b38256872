//! What the process says with its exit code.

use crate::base::{Error, Kind};

/// All done.
pub const DONE: u8 = 0;
/// Done, but some items failed.
pub const ITEMS_FAILED: u8 = 1;
/// A usage, configuration or script error.
pub const MISTAKE: u8 = 2;
/// Stopped at a budget.
const BUDGET: u8 = 3;
/// Stopped by its surroundings.
const SURROUNDINGS: u8 = 4;
/// Another run holds the checkpoint (the system's EX_TEMPFAIL).
const LOCKED: u8 = 75;
/// Interrupted by a signal (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// The exit code of an error that ended the command.
pub fn code(error: &Error) -> u8 {
    match error.kind() {
        Kind::Budget => BUDGET,
        Kind::Disk | Kind::DeadBackend | Kind::Repeating => SURROUNDINGS,
        Kind::Locked => LOCKED,
        Kind::Interrupted => INTERRUPTED,
        _ => MISTAKE,
    }
}
