//! `fthost report`: one HTML file of all figures and transcripts.

use std::io::{BufWriter, Read, Write};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::args::{Common, Report};
use super::output::Output;
use super::{exit, project};
use crate::base::numbers::count;
use crate::base::{Error, Kind, Result};
use crate::report::{Data, Depth, Figures, page};
use crate::store::atomic::{Aside, disk_error};
use crate::work::{World, status};

/// Where it is written, when nothing else is said.
const DEFAULT: &str = "data/report.html";

/// Writes it, whole. A run may go on meanwhile.
pub fn run(common: &Common, args: &Report, output: &Output) -> Result<u8> {
    let world = project::open(common, "report", output)?;
    if let Some(path) = &args.out {
        check_target(path)?;
    }
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

/// How a report begins: nothing else is overwritten.
const OURS: &str = "<meta name=\"generator\" content=\"fthost";

/// Only a new file, or an earlier report.
fn check_target(path: &Path) -> Result<()> {
    let refused = |what: &str| {
        Err(Error::new(Kind::Usage, format!("{} {what}", path.display()))
            .hint("nothing was written; name a new file: fthost report -o report.html"))
    };
    if path.is_dir() {
        return refused("is a directory");
    }
    // Not opened before it is known to be a file: a pipe would wait for ever.
    let known = std::fs::metadata(path).map(|it| it.is_file());
    match known.and_then(|is_file| if is_file { std::fs::File::open(path).map(Some) } else { Ok(None) }) {
        Ok(None) => refused("is no plain file"),
        Ok(Some(file)) => {
            let mut head = Vec::new();
            let read = file.take(4096).read_to_end(&mut head);
            match read.is_ok() && String::from_utf8_lossy(&head).contains(OURS) {
                true => Ok(()),
                false => refused("is there, and is no report of fthost"),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(disk_error("write", path, &error)),
    }
}

/// Beside it first, so that nobody sees half of it.
fn write(world: &World, figures: &Figures, data: &Data, path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(Path::new).unwrap_or(path);
    let failed = |error: &std::io::Error| disk_error("write", path, error);
    std::fs::create_dir_all(parent).map_err(|e| failed(&e))?;
    let dir = Dir::open_ambient_dir(parent, ambient_authority()).map_err(|e| failed(&e))?;
    let mut aside = Aside::open(&dir, name)?;
    let mut out = BufWriter::new(&mut aside.file);
    page::write(world, figures, data, &mut out)?;
    out.flush().map_err(|e| failed(&e))?;
    drop(out);
    aside.flush()?;
    aside.put()
}
