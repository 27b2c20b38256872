//! What is wrong with the files that are no scripts: configuration, rubric, other YAML, templates.

use super::Finding;
use crate::base::config::Config;
use crate::base::yaml::Document;
use crate::base::{Error, Result};
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
