//! The files inside the binary: the shipped modules, and the project that `fthost init` writes.

/// The modules that scripts import as `std/<name>`.
pub const STDLIB: &[(&str, &str)] = &[
    ("std/assess", include_str!("../../stdlib/assess.rhai")),
    ("std/audit", include_str!("../../stdlib/audit.rhai")),
    ("std/conversation", include_str!("../../stdlib/conversation.rhai")),
    ("std/coverage", include_str!("../../stdlib/coverage.rhai")),
    ("std/offline", include_str!("../../stdlib/offline.rhai")),
    ("std/offline_customer", include_str!("../../stdlib/offline_customer.rhai")),
    ("std/offline_judge", include_str!("../../stdlib/offline_judge.rhai")),
    ("std/offline_knowledge", include_str!("../../stdlib/offline_knowledge.rhai")),
    ("std/offline_support", include_str!("../../stdlib/offline_support.rhai")),
    ("std/ollama", include_str!("../../stdlib/ollama.rhai")),
    ("std/personas", include_str!("../../stdlib/personas.rhai")),
    ("std/rubric", include_str!("../../stdlib/rubric.rhai")),
    ("std/summary", include_str!("../../stdlib/summary.rhai")),
    ("std/taxonomy", include_str!("../../stdlib/taxonomy.rhai")),
    ("std/text", include_str!("../../stdlib/text.rhai")),
];

/// The files of a directory of this repository that are named, by their paths in it.
macro_rules! files {
    ($dir:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../", $dir, "/", $path)))),*]
    };
}
pub(super) use files;

/// The files of a new project, by their paths.
pub const PROJECT: &[(&str, &str)] = files!(".":
    "config/fthost.yaml", "config/persona-template.yaml", "config/prompts/assessor.md",
    "config/prompts/assistant.md", "config/prompts/system.md", "config/prompts/user_sim.md",
    "config/rubric.yaml", "config/schemas/fthost.schema.json",
    "config/schemas/persona-template.schema.json", "config/schemas/rubric.schema.json",
    "config/schemas/taxonomy.schema.json", "config/taxonomy.yaml", "scripts/assess.rhai", "scripts/audit.rhai", "scripts/criteria.rhai",
    "scripts/generate.rhai", "scripts/personas.rhai", "scripts/prompts.rhai", "scripts/slice.rhai",
    "tests/scripts/criteria_test.rhai", "tests/scripts/personas_test.rhai",
    "tests/scripts/pipeline_test.rhai", "tests/scripts/prompts_test.rhai",
    "tests/snapshots/scripts/prompts_test/first_turn.snap",
);

/// The text of a shipped module.
pub fn std_module(path: &str) -> Option<&'static str> {
    STDLIB.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}
