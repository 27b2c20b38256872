//! What is wrong with the files that are no scripts: configuration, rubric, other YAML, templates.

use super::{Finding, Severity};
use crate::base::config::Config;
use crate::base::config::kinds::key_variables;
use crate::base::yaml::Document;
use crate::base::{Error, Kind, Result};
use crate::host::Session;
use crate::pipeline::{rubric, template};
use crate::store::Project;

const CONFIG: &str = "config/fthost.yaml";
const RUBRIC: &str = "config/rubric.yaml";

/// All mistakes in the files below `config/`.
pub fn check(project: &Project) -> Vec<Finding> {
    let yaml = ["config/**/*.yaml", "config/**/*.yml"];
    let mut findings: Vec<Finding> =
        yaml.iter().flat_map(|glob| each(project, glob, "config", yaml_faults)).collect();
    findings.extend(each(project, "config/prompts/**/*.md", "template", template_faults));
    findings
}

/// What the backends of the roles lack outside of the configuration: a script, a key.
pub fn backends(session: &Session) -> Vec<Finding> {
    let world = &session.world;
    let text = world.project.read_text(CONFIG).unwrap_or_default();
    let Ok(document) = Document::parse(CONFIG, &text) else { return Vec::new() };
    let in_roles = |name: &str| {
        let mut choices = world.config.roles.values().flat_map(|role| &role.choices);
        choices.any(|choice| choice.backend == name)
    };
    let mut findings = Vec::new();
    for (name, backend) in world.config.backends.iter().filter(|(name, _)| in_roles(name)) {
        if let Some(error) = backend.file.as_ref().and_then(|file| world.project.read_text(file).err()) {
            let at = document.place(&format!("backends.{name}.file"));
            let error =
                Error::new(Kind::Config, error.message()).or_hint(error.get_hint().map(str::to_string));
            findings.push(Finding::error("missing-file", error.at(at)));
        }
        let variables = key_variables(backend);
        let none_set = variables.iter().all(|name| (world.secrets)(name).is_none());
        if let Some(variable) = variables.first().filter(|_| none_set) {
            let error = document.fault(
                &format!("backends.{name}"),
                format!("backend `{name}` needs a key: {variable} is not set"),
            );
            let hint = format!("set {variable} in the environment, or in .env at the project's root");
            findings.push(Finding {
                severity: Severity::Warning,
                error: error.hint(hint),
                code: "missing-key",
            });
        }
    }
    findings
}

fn each(
    project: &Project,
    glob: &str,
    code: &'static str,
    faults: fn(&str, &str) -> Vec<Error>,
) -> Vec<Finding> {
    let of_file = |path: &String| match project.read_text(path) {
        Ok(text) => faults(path, &text),
        Err(error) => vec![error],
    };
    let found: Result<Vec<Error>> = project.list(glob).map(|paths| paths.iter().flat_map(of_file).collect());
    let errors = found.unwrap_or_else(|error| vec![error]);
    errors.into_iter().map(|error| Finding::error(code, error)).collect()
}

fn yaml_faults(path: &str, text: &str) -> Vec<Error> {
    match path {
        CONFIG => Config::faults(path, text),
        RUBRIC => rubric::faults(path, text),
        _ => Document::parse(path, text).err().into_iter().collect(),
    }
}

fn template_faults(path: &str, text: &str) -> Vec<Error> {
    template::syntax(path, text).err().into_iter().collect()
}
