//! `fthost report`: one HTML file of all figures and transcripts.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::args::{Common, Report};
use super::output::Output;
use super::{exit, project};
use crate::base::numbers::count;
use crate::base::{Error, Kind, Result};
use crate::report::{Data, Depth, Figures, page};
use crate::work::{World, status};

/// Where it is written, when nothing else is said.
const DEFAULT: &str = "data/report.html";

/// Writes it, whole. A run may go on meanwhile.
pub fn run(common: &Common, args: &Report, output: &Output) -> Result<u8> {
    let world = project::open(common, "report", output)?;
    let jobs = status::jobs(&world)?;
    let mut data = Data::read(&world, Depth::Whole)?;
    let figures = Figures::of(&world, &mut data, &jobs, Depth::Whole)?;
    figures.notes.iter().for_each(|note| output.remark(&format!("warning: {note}")));
    let path = args.out.clone().unwrap_or_else(|| world.project.root().join(DEFAULT));
    write(&world, &figures, &data, &path)?;
    let transcripts = count(figures.funnel.made, "transcript");
    output.result(&format!("the report of {transcripts} is in {}", path.display()));
    world.close();
    Ok(exit::DONE)
}

/// Beside it first, so that nobody sees half of it.
fn write(world: &World, figures: &Figures, data: &Data, path: &Path) -> Result<()> {
    let failed = |error: &std::io::Error| Error::io(Kind::Usage, "write", path.display(), error);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return Err(Error::new(Kind::Usage, format!("{} is a directory", path.display()))
            .hint("name a file: fthost report -o report.html"));
    }
    std::fs::create_dir_all(parent).map_err(|e| failed(&e))?;
    let mut aside = tempfile::Builder::new().prefix(".report").tempfile_in(parent).map_err(|e| failed(&e))?;
    let mut out = BufWriter::new(aside.as_file_mut());
    page::write(world, figures, data, &mut out)?;
    out.flush().map_err(|e| failed(&e))?;
    drop(out);
    readable(aside.as_file()).and_then(|()| aside.as_file().sync_all()).map_err(|e| failed(&e))?;
    aside.persist(path).map_err(|e| failed(&e.error))?;
    Ok(())
}

/// A temporary file is private; a report is like other files.
fn readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
