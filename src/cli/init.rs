//! `fthost init`: a new project, of the files inside the binary.

use std::path::Path;

use super::args::Init;
use super::exit;
use super::output::Output;
use super::project::CONFIG;
use crate::base::{Error, Kind, Result};
use crate::host::templates::TEMPLATES;

/// What git is not to see.
const GITIGNORE: &str = "/data/\n/.fthost/\n.env\n";

/// Writes the project's files; none that exists is changed.
pub fn run(args: &Init, output: &Output) -> Result<u8> {
    let dir = &args.dir;
    if dir.join(CONFIG).exists() {
        return Err(Error::new(Kind::Usage, format!("{} already holds a project", dir.display()))
            .hint("name another directory: fthost init my-project"));
    }
    let template = TEMPLATES.iter().find(|template| template.name == args.template).unwrap_or(&TEMPLATES[0]);
    let mut files = template.files();
    files.push((".gitignore", GITIGNORE));
    if let Some((path, _)) = files.iter().find(|(path, _)| *path != ".gitignore" && dir.join(path).exists()) {
        return Err(Error::new(Kind::Usage, format!("{} exists", dir.join(path).display()))
            .hint("nothing was written; name another directory"));
    }
    for (path, text) in &files {
        write_new(&dir.join(path), text)?;
    }
    output.result(&next_steps(dir, files.len()));
    Ok(exit::DONE)
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let failed = |e: std::io::Error| Error::io(Kind::Disk, "write", path.display(), &e);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

fn next_steps(dir: &Path, files: usize) -> String {
    let (place, cd) = match dir == Path::new(".") {
        true => ("here".to_string(), String::new()),
        false => (format!("in {}", dir.display()), format!("  cd {}\n", dir.display())),
    };
    format!(
        "A new project of {files} files is {place}. It works offline, with no key:\n\n{cd}  fthost run \
         scripts/generate.rhai scripts/assess.rhai scripts/slice.rhai\n\nThen edit scripts/prompts.rhai and \
         config/, and set the roles in {CONFIG} to real models."
    )
}
