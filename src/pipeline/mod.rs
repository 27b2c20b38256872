//! The semantics of the pipeline as pure functions on plain types: transcripts, tokens, slices,
//! rubrics, scores, training sets. No files, no network, no clock, no scripts: what a function needs
//! is passed in. `tests/golden` holds the vectors that these functions must reproduce.

pub mod agreement;
pub mod audit;
pub mod combinations;
pub mod constraints;
pub mod coverage;
pub mod dimensions;
pub mod export;
pub mod history;
pub mod human;
pub mod jury;
pub mod length;
pub mod lines;
pub mod passing;
pub mod quota;
pub mod rng;
pub mod rubric;
pub mod rules;
pub mod sampling;
pub mod score;
pub mod shares;
pub mod slices;
pub mod split;
pub mod summary;
pub mod talk;
pub mod template;
pub mod tokens;
pub mod transcript;
pub mod uses;
pub mod verdict;
