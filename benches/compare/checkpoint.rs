//! Reading a checkpoint of a million records, as a run does that goes on.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use fthost::store::Project;
use fthost::store::checkpoint::{Checkpoint, Mode};

use crate::command::{fthost, measured};
use crate::python::Python;
use crate::table::{Contestant, Outcome, Sample, Table, short, take_turns};
use crate::{Result, Scale};

/// Below the project.
const FILE: &str = "data/c.jsonl";

pub fn measure(scale: &Scale) -> Result<Table> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (project, python) = (dir.path(), Python::prepare()?);
    let records = scale.of(1_000_000, 20_000);
    write_records(project, records)?;
    let expected = |said: String| match said.trim().parse::<usize>() {
        Ok(count) if count == records => Ok(()),
        _ => Err(format!("{said} records, not {records}")),
    };
    let outcomes = take_turns(
        scale.rounds(),
        &mut [
            Contestant::new("Python: `json.loads` of each line, ids in a set", || {
                let (sample, said) = measured(python.script("checkpoint.py").arg(project.join(FILE)))?;
                Ok(expected(said).map(|()| sample)?)
            }),
            Contestant::new(format!("`fthost eval 'load_checkpoint(\"{FILE}\").len()'`"), || {
                let expression = format!("load_checkpoint(\"{FILE}\").len()");
                let (sample, said) = measured(fthost().current_dir(project).args(["eval", &expression]))?;
                Ok(expected(said).map(|()| sample)?)
            }),
            Contestant::new("of that, the index alone", || {
                let (seconds, count) = index(project)?;
                Ok(expected(count.to_string()).map(|()| Sample::of(seconds))?)
            }),
        ],
    )?;
    let row = |one: &Outcome| {
        let times = outcomes[0].seconds().median / one.seconds().median;
        vec![one.name.clone(), one.seconds().to_string(), short(times), one.megabytes().to_string()]
    };
    Ok(Table {
        title: "Checkpoints",
        about: format!(
            "{records} records of {} bytes; the whole process, its start included.",
            line(0).len()
        ),
        head: vec!["what reads", "seconds", "x", "peak MB"],
        rows: outcomes.iter().map(row).collect(),
    })
}

/// A record as `process` writes it.
fn line(n: usize) -> String {
    format!("{{\"id\":\"item_{n:07}\",\"n\":{n},\"_version\":\"{:08x}-5a839632-32eb9f4a-0\"}}\n", n as u32)
}

/// A project that has nothing else.
fn write_records(project: &Path, records: usize) -> Result<()> {
    for dir in ["config", "scripts", "data"] {
        fs::create_dir(project.join(dir))?;
    }
    fs::write(project.join("config/fthost.yaml"), "backends: {offline: {kind: offline}}\n")?;
    let mut file = BufWriter::new(File::create(project.join(FILE))?);
    for n in 0..records {
        file.write_all(line(n).as_bytes())?;
    }
    Ok(file.flush()?)
}

/// Seconds to open it, and how many records it has.
fn index(project: &Path) -> Result<(f64, usize)> {
    let project = Project::open(project)?;
    let began = Instant::now();
    let opened = Checkpoint::open(&project, FILE, Mode::Read)?;
    Ok((began.elapsed().as_secs_f64(), opened.checkpoint.len()))
}
