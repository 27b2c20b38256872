//! The projects that `fthost init` can write: a new one is a directory below templates/ and one entry here.

use super::embedded::{PROJECT, files};

/// A file of a project: its path, and its text.
type File = (&'static str, &'static str);

/// A project to begin with.
pub struct Template {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    own: &'static [File],
    /// Paths of files that it has in common with this repository's own project.
    shared: &'static [&'static str],
}

impl Template {
    /// All its files, sorted by path.
    pub fn files(&self) -> Vec<File> {
        let shared = PROJECT.iter().filter(|(path, _)| self.shared.contains(path));
        let mut files: Vec<File> = self.own.iter().chain(shared).copied().collect();
        files.sort_by_key(|(path, _)| *path);
        files
    }
}

/// All templates; the first is written when none is named.
pub const TEMPLATES: &[Template] = &[
    Template {
        name: "customer-support",
        about: "a shop's support, with personas, flaws, edge cases and two judges",
        own: PROJECT,
        shared: &[],
    },
    Template {
        name: "tutoring",
        about: "a maths tutor who must not tell the answer; a gate that code decides",
        own: files!("templates/tutoring":
            "config/fthost.yaml", "config/persona-template.yaml", "config/rubric.yaml", "config/taxonomy.yaml",
            "config/prompts/assessor.md", "config/prompts/assistant.md", "config/prompts/system.md",
            "config/prompts/user_sim.md", "scripts/criteria.rhai", "scripts/offline.rhai", "scripts/personas.rhai",
            "scripts/prompts.rhai", "tests/scripts/criteria_test.rhai", "tests/scripts/personas_test.rhai",
            "tests/scripts/pipeline_test.rhai", "tests/scripts/prompts_test.rhai",
        ),
        shared: &[
            "config/schemas/fthost.schema.json",
            "config/schemas/persona-template.schema.json",
            "config/schemas/rubric.schema.json",
            "config/schemas/taxonomy.schema.json",
            "scripts/assess.rhai",
            "scripts/audit.rhai",
            "scripts/generate.rhai",
            "scripts/slice.rhai",
        ],
    },
    Template {
        name: "minimal",
        about: "the least that makes training data: three criteria, one judge, personas in ten lines",
        own: files!("templates/minimal":
            "config/fthost.yaml", "config/rubric.yaml", "config/prompts/assessor.md", "config/prompts/assistant.md",
            "config/prompts/system.md", "config/prompts/user_sim.md", "scripts/assess.rhai", "scripts/criteria.rhai",
            "scripts/offline.rhai", "scripts/personas.rhai", "scripts/prompts.rhai", "tests/scripts/scripts_test.rhai",
        ),
        shared: &[
            "config/schemas/fthost.schema.json",
            "config/schemas/rubric.schema.json",
            "scripts/generate.rhai",
            "scripts/slice.rhai",
        ],
    },
];
