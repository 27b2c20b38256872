//! Finds mistakes.
