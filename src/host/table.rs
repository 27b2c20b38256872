//! The host API as a list: a new namespace is one file and one line here.

use rhai::Module;

use super::options::OptionsOf;
use super::{
    agreeing, auditing, backends, checkpoints, files, lengths, messages, passing, processing, random,
    rubrics, sampling, scoring, slices, surroundings, text, tokens, training, transcripts, weighted,
};

/// One namespace of the host API. Scripts see its functions flat, without the namespace's name.
pub struct Namespace {
    /// Its name in the reference.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its functions.
    pub module: fn() -> Module,
    /// The functions that take option maps.
    pub options: &'static [OptionsOf],
}

/// All namespaces, in the order of the reference.
#[rustfmt::skip]
pub const NAMESPACES: &[Namespace] = &[
    Namespace { name: "backends", about: "Models to talk to", module: backends::module, options: backends::OPTIONS },
    Namespace { name: "processing", about: "Many items, in parallel and resumable", module: processing::module, options: processing::OPTIONS },
    Namespace { name: "checkpoints", about: "Records that are kept", module: checkpoints::module, options: &[] },
    Namespace { name: "transcripts", about: "Conversations on disk", module: transcripts::module, options: &[] },
    Namespace { name: "rubrics", about: "Criteria, gates, schemas", module: rubrics::module, options: &[] },
    Namespace { name: "scoring", about: "From answers to verdicts", module: scoring::module, options: &[] },
    Namespace { name: "agreement", about: "How far judges agree", module: agreeing::module, options: &[] },
    Namespace { name: "passing", about: "From verdicts to what may be trained on", module: passing::module, options: &[] },
    Namespace { name: "tokens", about: "Token counts", module: tokens::module, options: &[] },
    Namespace { name: "slices", about: "Cutting conversations into examples", module: slices::module, options: slices::OPTIONS },
    Namespace { name: "training", about: "Training files", module: training::module, options: training::OPTIONS },
    Namespace { name: "auditing", about: "Faults of the whole data set", module: auditing::module, options: auditing::OPTIONS },
    Namespace { name: "lengths", about: "Length statistics", module: lengths::module, options: &[] },
    Namespace { name: "text", about: "Prompts from templates and history", module: text::module, options: text::OPTIONS },
    Namespace { name: "messages", about: "Prompts as chat messages", module: messages::module, options: &[] },
    Namespace { name: "files", about: "Reading the project, writing to data/", module: files::module, options: &[] },
    Namespace { name: "random", about: "Seeded random choices", module: random::module, options: &[] },
    Namespace { name: "weighted", about: "Entries with weights, to be drawn from", module: weighted::module, options: &[] },
    Namespace { name: "sampling", about: "Personas by weights over all their dimensions", module: sampling::module, options: sampling::OPTIONS },
    Namespace { name: "surroundings", about: "Settings, log, time, arrays", module: surroundings::module, options: &[] },
];

/// The options of a function, if it takes any.
pub fn options(function: &str) -> Option<&'static OptionsOf> {
    NAMESPACES.iter().flat_map(|namespace| namespace.options).find(|options| options.function == function)
}
