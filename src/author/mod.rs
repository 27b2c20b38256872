//! Tools for script authors: what is wrong with a project before anything runs, tests of its scripts, and the reference.

pub mod check;
pub mod definitions;
pub mod live;
pub mod reference;
pub mod test;
