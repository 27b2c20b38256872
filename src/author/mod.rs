//! Tools for script authors: what is wrong with a project before anything runs, tests of its scripts, entries that are
//! tried out one by one, what an edit has changed, and the reference.

pub mod changes;
pub mod check;
pub mod definitions;
pub mod live;
pub mod reference;
pub mod repl;
pub mod schemas;
pub mod test;
