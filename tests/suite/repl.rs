//! `fthost repl`, at a real terminal and from a pipe.

mod editing;
mod entries;
mod pipe;
pub mod screen;
mod stopping;
