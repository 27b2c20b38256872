//! What is wrong with the files that are no scripts: configuration, rubric, other YAML, templates.

use std::collections::BTreeSet;

use super::{Finding, Severity, constraints, distributions, templates};
use crate::base::config::kinds::{key_variable, key_variables};
use crate::base::config::{BackendConfig, Choice, Config, Params};
use crate::base::yaml::Document;
use crate::base::{Error, Kind, Result};
use crate::host::Session;
use crate::llm;
use crate::pipeline::{rubric, template};
use crate::store::Project;
use crate::work::{World, backends};

const CONFIG: &str = "config/fthost.yaml";
const RUBRIC: &str = "config/rubric.yaml";

/// All mistakes in the files below `config/`.
pub fn check(project: &Project) -> Vec<Finding> {
    let yaml = ["config/**/*.yaml", "config/**/*.yml"];
    let mut findings: Vec<Finding> =
        yaml.iter().flat_map(|glob| each(project, glob, "config", yaml_faults)).collect();
    findings.extend(each(project, "config/prompts/**/*.md", "template", |path, text| {
        template_faults(project, path, text)
    }));
    findings.extend(distributions::of_files(project));
    findings.extend(constraints::of_files(project));
    findings
}

/// The configuration, to say where something stands in it; one that cannot be read is told elsewhere.
pub(super) fn configuration(world: &World) -> Option<Document> {
    let text = world.project.read_text(CONFIG).ok()?;
    Document::parse(CONFIG, &text).ok()
}

/// What the backends of the roles lack outside of the configuration: a script, a program, a key.
pub fn of_roles(session: &Session) -> Vec<Finding> {
    let world = &session.world;
    let Some(document) = configuration(world) else { return Vec::new() };
    let in_roles = |name: &str| {
        let mut choices = world.config.roles.values().flat_map(|role| &role.choices);
        choices.any(|choice| choice.backend == name)
    };
    let named = world.config.backends.iter().filter(|(name, _)| in_roles(name));
    named.flat_map(|(name, config)| backend(world, &document, name, config)).collect()
}

/// Why backends of these names (their own, or roles') cannot be asked: a run would stop at them, when it has
/// paid for others. Nothing is sent.
pub fn of_names(world: &World, names: &[String]) -> Vec<Finding> {
    let Some(document) = configuration(world) else { return Vec::new() };
    let choices = names.iter().filter_map(|name| world.config.choices(name).ok()).flatten();
    let named: BTreeSet<String> = choices.map(|choice| choice.backend).collect();
    let known = named.iter().filter_map(|name| world.config.backends.get_key_value(name));
    let fault = |(name, config): (&String, &BackendConfig)| {
        let key = missing_key(world, &document, name, config).filter(|_| world.dry.is_none());
        let key = key.map(|finding| finding.with_severity(Severity::Error));
        key.or_else(|| cannot_open(world, &document, name, config))
    };
    known.filter_map(fault).collect()
}

/// A backend is opened, as a run would do it; nothing is sent.
fn backend(world: &World, document: &Document, name: &str, config: &BackendConfig) -> Vec<Finding> {
    let missing_key = missing_key(world, document, name, config);
    let cannot_open = match missing_key {
        Some(_) => None,
        None => cannot_open(world, document, name, config),
    };
    let plain_http = plain_http(config).map(|error| {
        let fault = document.fault(&format!("backends.{name}.base_url"), error);
        Finding::of(
            "plain-http",
            fault.hint("write https://, or `api_key_env: null` if the server wants no key"),
        )
    });
    missing_key.into_iter().chain(cannot_open).chain(plain_http).collect()
}

fn cannot_open(world: &World, document: &Document, name: &str, config: &BackendConfig) -> Option<Finding> {
    let choice = Choice { backend: name.into(), params: Params::default() };
    let error = backends::of_choice(world, "", choice).err()?;
    // A fault within a script keeps its own place.
    let at = format!("backends.{name}");
    let of = if config.file.is_some() { format!("{at}.file") } else { at };
    let absent = error.kind() == Kind::NotFound;
    let (kind, code) = if absent { (Kind::Config, "missing-file") } else { (error.kind(), "backend") };
    let plain = Error::new(kind, error.message()).or_hint(error.get_hint().map(str::to_string));
    Some(Finding::of(code, plain.at(error.place().cloned().unwrap_or_else(|| document.place(&of)))))
}

fn missing_key(world: &World, document: &Document, name: &str, config: &BackendConfig) -> Option<Finding> {
    let variables = key_variables(config);
    let variable =
        variables.first().filter(|_| variables.iter().all(|name| (world.secrets)(name).is_none()))?;
    let error = document
        .fault(&format!("backends.{name}"), format!("backend `{name}` needs a key: {variable} is not set"));
    let hint = format!(
        "set {variable} in the environment, or in .env at the project's root; \
         for a server without keys write `api_key_env: null`"
    );
    Some(Finding::of("missing-key", error.hint(hint)))
}

/// A key that would cross a network for all to read.
fn plain_http(config: &BackendConfig) -> Option<String> {
    let address = config.base_url.as_deref().filter(|address| address.starts_with("http://"))?;
    let goes_out = !llm::transport::is_this_machine(address);
    let keyed = key_variable(config).is_some();
    (keyed && goes_out).then(|| "the key would be sent to this address without encryption".to_string())
}

fn each(
    project: &Project,
    glob: &str,
    code: &'static str,
    faults: impl Fn(&str, &str) -> Vec<Error>,
) -> Vec<Finding> {
    let of_file = |path: &String| match project.read_text(path) {
        Ok(text) => faults(path, &text),
        Err(error) => vec![error],
    };
    let found: Result<Vec<Error>> = project.list(glob).map(|paths| paths.iter().flat_map(of_file).collect());
    let errors = found.unwrap_or_else(|error| vec![error]);
    errors.into_iter().map(|error| Finding::of(code, error)).collect()
}

fn yaml_faults(path: &str, text: &str) -> Vec<Error> {
    match path {
        CONFIG => Config::faults(path, text),
        RUBRIC => rubric::faults(path, text),
        _ => Document::parse(path, text).err().into_iter().collect(),
    }
    .into_iter()
    .map(|error| error.code(if path == RUBRIC { "rubric" } else { "config" }))
    .collect()
}

fn template_faults(project: &Project, path: &str, text: &str) -> Vec<Error> {
    match template::syntax(path, text) {
        Err(error) => vec![error],
        Ok(()) => [templates::faults(path, text), templates::includes(project, path, text)].concat(),
    }
}
