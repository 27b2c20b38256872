//! The files inside the binary: the shipped modules, and the project that `fthost init` writes.

/// The modules that scripts import as `std/<name>`.
pub const STDLIB: &[(&str, &str)] = &[
    ("std/conversation", include_str!("../../stdlib/conversation.rhai")),
    ("std/offline", include_str!("../../stdlib/offline.rhai")),
    ("std/offline_customer", include_str!("../../stdlib/offline_customer.rhai")),
    ("std/offline_judge", include_str!("../../stdlib/offline_judge.rhai")),
    ("std/offline_knowledge", include_str!("../../stdlib/offline_knowledge.rhai")),
    ("std/offline_support", include_str!("../../stdlib/offline_support.rhai")),
    ("std/ollama", include_str!("../../stdlib/ollama.rhai")),
    ("std/personas", include_str!("../../stdlib/personas.rhai")),
    ("std/rubric", include_str!("../../stdlib/rubric.rhai")),
    ("std/summary", include_str!("../../stdlib/summary.rhai")),
    ("std/text", include_str!("../../stdlib/text.rhai")),
];

/// The files of a new project, by their paths.
pub const PROJECT: &[(&str, &str)] = &[
    ("config/fthost.yaml", include_str!("../../config/fthost.yaml")),
    ("config/persona-template.yaml", include_str!("../../config/persona-template.yaml")),
    ("config/prompts/assessor.md", include_str!("../../config/prompts/assessor.md")),
    ("config/prompts/assistant.md", include_str!("../../config/prompts/assistant.md")),
    ("config/prompts/system.md", include_str!("../../config/prompts/system.md")),
    ("config/prompts/user_sim.md", include_str!("../../config/prompts/user_sim.md")),
    ("config/rubric.yaml", include_str!("../../config/rubric.yaml")),
    ("config/taxonomy.yaml", include_str!("../../config/taxonomy.yaml")),
    ("scripts/assess.rhai", include_str!("../../scripts/assess.rhai")),
    ("scripts/criteria.rhai", include_str!("../../scripts/criteria.rhai")),
    ("scripts/generate.rhai", include_str!("../../scripts/generate.rhai")),
    ("scripts/personas.rhai", include_str!("../../scripts/personas.rhai")),
    ("scripts/prompts.rhai", include_str!("../../scripts/prompts.rhai")),
    ("scripts/slice.rhai", include_str!("../../scripts/slice.rhai")),
    ("tests/scripts/criteria_test.rhai", include_str!("../../tests/scripts/criteria_test.rhai")),
    ("tests/scripts/personas_test.rhai", include_str!("../../tests/scripts/personas_test.rhai")),
    ("tests/scripts/pipeline_test.rhai", include_str!("../../tests/scripts/pipeline_test.rhai")),
    ("tests/scripts/prompts_test.rhai", include_str!("../../tests/scripts/prompts_test.rhai")),
    (
        "tests/snapshots/scripts/prompts_test/first_turn.snap",
        include_str!("../../tests/snapshots/scripts/prompts_test/first_turn.snap"),
    ),
];

/// The text of a shipped module.
pub fn std_module(path: &str) -> Option<&'static str> {
    STDLIB.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}
