//! Step 3 of a project of 10,000 transcripts: `fthost run scripts/slice.rhai` beside two programs in Python. All
//! of them must write the same bytes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use fthost::pipeline::rubric::Rubric;
use fthost::pipeline::score::score_assessment;
use serde_json::{Map, Value, json};

use crate::command::{fthost, measured, timed};
use crate::corpus::Writer;
use crate::python::{Python, number, told};
use crate::table::{Contestant, Outcome, Sample, Table, short, take_turns};
use crate::{Result, Scale};

/// The longest chats do not fit into it as a whole.
const MAX_TOKENS: &str = "8000";

/// A project with transcripts that have passed, and room beside it for what Python writes.
struct Work {
    dir: tempfile::TempDir,
    python: Python,
    transcripts: usize,
    /// Of how many the slow contestant slices.
    sample: usize,
}

pub fn measure(scale: &Scale) -> Result<Table> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (transcripts, sample) = (scale.of(10_000, 60), scale.of(300, 20));
    let work = Work { dir, python: Python::prepare()?, transcripts, sample };
    let bytes = work.prepare()?;
    let (mut rows, mut examples) = (Vec::new(), 0);
    for encoding in ["cl100k_base", "o200k_base"] {
        let outcomes = work.outcomes(encoding, scale.rounds())?;
        rows.extend(outcomes.iter().map(|one| row(encoding, one, &outcomes[0])));
        examples = work.compared()?;
    }
    Ok(Table {
        title: "Slices",
        about: format!(
            "{transcripts} transcripts of 25 exchanges, {} MB, become {examples} examples (o200k_base) within {MAX_TOKENS} tokens; \
             the whole command. The plain Python was measured on {sample} transcripts, and the time of its loop scaled up. All \
             write the same bytes.",
            short(bytes as f64 / 1e6)
        ),
        head: vec!["encoding", "what slices", "seconds", "x", "peak MB"],
        rows,
    })
}

fn row(encoding: &str, one: &Outcome, first: &Outcome) -> Vec<String> {
    let times = first.seconds().median / one.seconds().median;
    let cells = [one.seconds().to_string(), short(times), one.megabytes().to_string()];
    [encoding.to_string(), one.name.clone()].into_iter().chain(cells).collect()
}

impl Work {
    fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    fn processed(&self) -> PathBuf {
        self.project().join("data/processed")
    }

    fn written(&self, how: &str) -> PathBuf {
        self.dir.path().join(format!("{how}.jsonl"))
    }

    /// Writes the project; how many bytes its transcripts have.
    fn prepare(&self) -> Result<usize> {
        let project = self.project();
        timed(fthost().arg("init").arg(&project))?;
        // The shipped script counts by the default encoding.
        replace(
            &project.join("scripts/slice.rhai"),
            "#{max_tokens:",
            "#{encoding: setting(\"encoding\", \"cl100k_base\"), max_tokens:",
        )?;
        fs::create_dir_all(project.join("data/raw/transcripts"))?;
        fs::create_dir_all(project.join("data/assessments"))?;
        let text = fs::read_to_string(project.join("config/rubric.yaml"))?;
        let rubric = Rubric::parse("config/rubric.yaml", &text)?;
        let (mut writer, mut bytes, mut records) = (Writer::new(2), 0, String::new());
        for n in 0..self.transcripts {
            let transcript = json!({
                "id": name(n),
                "persona": {"id": format!("persona_{n}")},
                "exchanges": writer.conversation(25),
            });
            let text = serde_json::to_string_pretty(&transcript)?;
            bytes += text.len();
            fs::write(project.join(format!("data/raw/transcripts/{}.json", name(n))), text)?;
            records += &passed(&transcript, &rubric)?;
        }
        fs::write(project.join("data/assessments/checkpoint.jsonl"), records)?;
        Ok(bytes)
    }

    fn outcomes(&self, encoding: &str, rounds: usize) -> Result<Vec<Outcome>> {
        let mut contestants = [
            Contestant::new("Python, every prefix counted anew, 1 core", || {
                let (sample, told) = self.in_python("plain", encoding, self.sample)?;
                let more = self.transcripts as f64 / self.sample as f64 - 1.0;
                Ok(Sample { seconds: sample.seconds + more * number(&told, "seconds")?, ..sample })
            }),
            Contestant::new("Python, every message counted once, all cores", || {
                Ok(self.in_python("tuned", encoding, self.transcripts)?.0)
            }),
            Contestant::new("`fthost run scripts/slice.rhai`", || self.in_fthost(encoding)),
        ];
        take_turns(rounds, &mut contestants)
    }

    fn in_fthost(&self, encoding: &str) -> Result<Sample> {
        // What is there and the same would not be written again.
        if self.processed().exists() {
            fs::remove_dir_all(self.processed())?;
        }
        let mut command = fthost();
        command.current_dir(self.project()).args(["run", "scripts/slice.rhai", "-s", "validation=0"]);
        command.args(["-s", &format!("max_tokens={MAX_TOKENS}"), "-s", &format!("encoding={encoding}")]);
        Ok(measured(&mut command)?.0)
    }

    fn in_python(&self, how: &str, encoding: &str, limit: usize) -> Result<(Sample, Value)> {
        let output = self.written(how);
        if output.exists() {
            fs::remove_file(&output)?;
        }
        let mut script = self.python.script("slices.py");
        script.arg(how).arg(self.project()).arg(output);
        told(script.args([encoding, MAX_TOKENS, &limit.to_string()]))
    }

    /// Holds what the last round has written against each other; how many examples there are.
    fn compared(&self) -> Result<usize> {
        let ours = self.processed().join("training_data.jsonl");
        let manifest = BufReader::new(File::open(self.processed().join("manifest.jsonl"))?);
        let (mut examples, mut of_sample) = (0, 0);
        for line in manifest.lines() {
            let entry: Value = serde_json::from_str(&line?)?;
            examples += 1;
            of_sample += usize::from(entry["transcript"].as_str() < Some(name(self.sample).as_str()));
        }
        same_beginning(&self.written("tuned"), &ours, examples)?;
        same_beginning(&self.written("plain"), &ours, of_sample)?;
        Ok(examples)
    }
}

/// In the order of the numbers.
fn name(n: usize) -> String {
    format!("chat_{n:05}")
}

fn replace(file: &Path, part: &str, by: &str) -> Result<()> {
    let text = fs::read_to_string(file)?;
    match text.contains(part) {
        true => Ok(fs::write(file, text.replace(part, by))?),
        false => Err(format!("{} has no `{part}`", file.display()).into()),
    }
}

/// The line of a verdict that lets the transcript pass.
fn passed(transcript: &Value, rubric: &Rubric) -> Result<String> {
    let yes = |id: &str| (id.to_string(), json!({"reasoning": "It does.", "answer": "YES"}));
    let output = Value::Object(rubric.ids().into_iter().map(yes).collect::<Map<_, _>>());
    let record = score_assessment(transcript, &output, rubric, "judge")?;
    Ok(format!("{record}\n"))
}

/// Whether a file has so many lines, and they are the first of another one.
fn same_beginning(file: &Path, of: &Path, lines: usize) -> Result<()> {
    let size = fs::metadata(file)?.len();
    let (mut one, mut other) =
        (BufReader::new(File::open(file)?), BufReader::new(File::open(of)?.take(size)));
    let (mut found, mut line, mut theirs) = (0, Vec::new(), Vec::new());
    while one.read_until(b'\n', &mut line)? > 0 {
        other.read_until(b'\n', &mut theirs)?;
        if line != theirs {
            return Err(
                format!("line {} of {} is another one in fthost's file", found + 1, file.display()).into()
            );
        }
        found += 1;
        (line, theirs) = (Vec::new(), Vec::new());
    }
    match found == lines {
        true => Ok(()),
        false => Err(format!("{} has {found} lines, fthost's has {lines}", file.display()).into()),
    }
}
