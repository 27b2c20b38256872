//! The files inside the binary: the shipped modules, and the project that `fthost init` writes.

/// The modules that scripts import as `std/<name>`.
pub const STDLIB: &[(&str, &str)] = &[
    ("std/*", include_str!("../../stdlib/*.rhai")),
];

/// The files of a new project, by their paths.
pub const PROJECT: &[(&str, &str)] = &[
    ("config/*.yaml", include_str!("../../config/*.yaml")),
    ("config/prompts/*.md", include_str!("../../config/prompts/*.md")),
    ("scripts/*.rhai", include_str!("../../scripts/*.rhai")),
];

/// The text of a shipped module.
pub fn std_module(path: &str) -> Option<&'static str> {
    STDLIB.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}
