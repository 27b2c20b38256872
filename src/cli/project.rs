//! Opening the project that a command works on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Common;
use super::output::Output;
use crate::base::config::Config;
use crate::base::{Error, Kind, Result, suggest};
use crate::host::embedded;
use crate::store::Project;
use crate::work::World;
use crate::work::world::Secrets;

/// The configuration's path.
pub const CONFIG: &str = "config/fthost.yaml";

/// Where keys may stand besides the environment.
const DOT_ENV: &str = ".env";

/// The project of a command, which the ledger will know by these words.
pub fn open(common: &Common, command: &str, output: &Output) -> Result<World> {
    let root = root(common)?;
    let project = Project::open(&root)?;
    let text = project.read_text(CONFIG)?;
    world(project, Config::parse(CONFIG, &text)?, command, output)
}

/// The project, or without one the working directory with the shipped configuration.
pub fn open_or_bare(common: &Common, command: &str, output: &Output) -> Result<World> {
    match root(common) {
        Ok(_) => open(common, command, output),
        Err(error) if common.project.is_some() => Err(error),
        Err(_) => {
            let text =
                embedded::PROJECT.iter().find(|(path, _)| *path == CONFIG).map_or("", |(_, text)| text);
            world(Project::open(&here()?)?, Config::parse(CONFIG, text)?, command, output)
        }
    }
}

/// The project's directory.
pub fn root(common: &Common) -> Result<PathBuf> {
    let missing = |what: String| {
        Error::new(Kind::Usage, what)
            .hint("run `fthost init` to make one here, or name one with --project DIR")
    };
    match &common.project {
        Some(dir) if dir.join(CONFIG).is_file() => Ok(dir.clone()),
        Some(dir) => Err(missing(format!("{} is no project: it has no {CONFIG}", dir.display()))),
        None => Project::find(&here()?)
            .ok_or_else(|| missing(format!("no project here: no {CONFIG}, also not in a parent"))),
    }
}

fn here() -> Result<PathBuf> {
    std::env::current_dir().map_err(|e| Error::io(Kind::Usage, "use", "the working directory", &e))
}

fn world(project: Project, config: Config, command: &str, output: &Output) -> Result<World> {
    let secrets = secrets(&project)?;
    Ok(World::new(project, config, Arc::new(output.clone()), secrets, command))
}

/// Keys: the environment's, then those of `.env`.
fn secrets(project: &Project) -> Result<Secrets> {
    let file = match project.read_private(DOT_ENV)? {
        Some(text) => parse_dot_env(&text)?,
        None => BTreeMap::new(),
    };
    let filled = |value: String| Some(value).filter(|value| !value.trim().is_empty());
    Ok(Box::new(move |name| std::env::var(name).ok().or_else(|| file.get(name).cloned()).and_then(filled)))
}

fn parse_dot_env(text: &str) -> Result<BTreeMap<String, String>> {
    let entries =
        |text: &str| dotenvy::from_read_iter(text.as_bytes()).collect::<std::result::Result<_, _>>().ok();
    // The error's own text would show the line, and with it perhaps a key.
    let wrong = || {
        let ends = text.match_indices('\n').map(|(at, _)| at).chain([text.len()]);
        let line = ends.take_while(|end| entries(&text[..*end]).is_some()).count() + 1;
        Error::new(Kind::Config, format!(".env: line {line} cannot be read")).hint("its lines are NAME=value")
    };
    entries(text).ok_or_else(wrong)
}

/// The scripts that could have been meant.
fn script_hint(root: &Path, named: &str) -> String {
    let found = std::fs::read_dir(root.join("scripts")).into_iter().flatten().flatten();
    let names = found.map(|entry| format!("scripts/{}", entry.file_name().to_string_lossy()));
    let scripts: Vec<String> = names.filter(|name| name.ends_with(".rhai")).collect();
    let stem = Path::new(named).file_stem().unwrap_or_default().to_string_lossy();
    match suggest::nearest(&format!("scripts/{stem}.rhai"), scripts.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a file, relative to here or to the project's root: scripts/generate.rhai".into(),
    }
}

/// A script named on the command line: its path in the project, and its text.
pub fn entry_script(root: &Path, named: &str) -> Result<(String, String)> {
    let candidates = [PathBuf::from(named), root.join(named)];
    let found = candidates.iter().find(|path| path.is_file()).ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no script {named}")).hint(script_hint(root, named))
    })?;
    let text = std::fs::read_to_string(found).map_err(|e| Error::io(Kind::Usage, "read", named, &e))?;
    let inside = match (found.canonicalize(), root.canonicalize()) {
        (Ok(file), Ok(root)) => file.strip_prefix(root).ok().map(|p| p.to_string_lossy().into_owned()),
        _ => None,
    };
    Ok((inside.unwrap_or_else(|| named.into()), text))
}
