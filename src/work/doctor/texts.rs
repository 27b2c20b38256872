//! Transcripts, verdicts and training files: whether what one speaks of is there in the other.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Doctor, Finding, some};
use crate::base::Result;
use crate::base::numbers::count;
use crate::pipeline::export::{MANIFEST_FILE, TRAINING_FILE, VALIDATION_FILE};
use crate::pipeline::transcript::{Transcript, content_hash};
use crate::store::ids::transcript_path;
use crate::store::{Checkpoint, Mode, Project};

const TRANSCRIPTS: &str = "data/raw/transcripts";
const GENERATION: &str = "data/raw/generation_checkpoint.jsonl";
const VERDICTS: &str = "data/assessments/checkpoint.jsonl";

/// Looks at them.
pub(super) fn look(doctor: &mut Doctor) -> Result<()> {
    // A project of other scripts may keep its conversations elsewhere.
    if doctor.stands(TRANSCRIPTS) {
        without_transcript(doctor)?;
        unreadable(doctor)?;
    }
    verdicts(doctor)?;
    training(doctor)
}

/// A damaged checkpoint was told of already.
fn records(project: &Project, path: &str) -> Option<std::sync::Arc<Checkpoint>> {
    Checkpoint::open(project, path, Mode::Read).ok().map(|opened| opened.checkpoint)
}

fn without_transcript(doctor: &mut Doctor) -> Result<()> {
    let Some(generated) = records(doctor.project, GENERATION) else { return Ok(()) };
    let is_missing = |id: &String| generated.contains_complete(id) && !doctor.stands(&transcript_path(id));
    let missing: Vec<String> = generated.ids().into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        let what = format!(
            "{} complete, whose transcripts are missing ({})",
            count(missing.len(), "record"),
            some(&missing)
        );
        let remedy = format!(
            "put the files back, or generate with `--redo {}`: replies that are kept cost nothing",
            listed(&missing)
        );
        doctor.tell(Finding::new(GENERATION, what, remedy));
    }
    Ok(())
}

/// As `--redo` takes them; many are better redone otherwise.
fn listed(ids: &[String]) -> String {
    if ids.len() > 20 { "ID,ID,...".into() } else { ids.join(",") }
}

fn unreadable(doctor: &mut Doctor) -> Result<()> {
    for path in doctor.project.list(&format!("{TRANSCRIPTS}/*.json"))? {
        let read = doctor.project.read_text(&path).and_then(|text| Transcript::parse(&path, &text));
        let Err(error) = read else { continue };
        let place = error.place().map_or_else(|| path.clone(), ToString::to_string);
        let remedy = "mend it, or delete it and generate it again with `--redo ID`: replies that are kept cost nothing";
        doctor.tell(Finding::new(&place, error.message(), remedy));
    }
    Ok(())
}

/// Verdicts on conversations that are no longer there as they were judged.
fn verdicts(doctor: &mut Doctor) -> Result<()> {
    let Some(judged) = records(doctor.project, VERDICTS) else { return Ok(()) };
    let (mut missing, mut changed) = (Vec::new(), Vec::new());
    judged.for_each_record(|id, record| {
        let Some(hash) = record.get("transcript_hash").and_then(Value::as_str) else { return Ok(()) };
        match doctor.project.read_text(&transcript_path(id)) {
            Ok(text) if hash_of(&text).as_deref() == Some(hash) => {}
            Ok(_) => changed.push(id.to_string()),
            Err(_) => missing.push(id.to_string()),
        }
        Ok(())
    })?;
    let sorts = [
        (missing, "are missing", "they are not trained on; put the transcripts back, or generate them again"),
        (changed, "have changed since", "they are not trained on; assess again with `--redo stale`"),
    ];
    for (mut ids, how, remedy) in sorts.into_iter().filter(|(ids, ..)| !ids.is_empty()) {
        ids.sort();
        let what = format!("{} on transcripts that {how} ({})", count(ids.len(), "verdict"), some(&ids));
        doctor.tell(Finding::new(VERDICTS, what, remedy));
    }
    Ok(())
}

fn hash_of(text: &str) -> Option<String> {
    serde_json::from_str(text).ok().map(|value: Value| content_hash(&value))
}

/// Training files, and the manifest that speaks of their lines.
fn training(doctor: &mut Doctor) -> Result<()> {
    for path in doctor.project.list(&format!("data/**/{TRAINING_FILE}"))? {
        let dir = path.strip_suffix(TRAINING_FILE).unwrap_or(&path).to_string();
        let mut lines = BTreeMap::new();
        for name in [TRAINING_FILE, VALIDATION_FILE] {
            let path = format!("{dir}{name}");
            let Some(text) = read(doctor, &path) else { continue };
            let broken = bad_lines(&text);
            if !broken.is_empty() {
                let what = format!("{} no JSON (line {})", count(broken.len(), "line"), some(&broken));
                doctor.tell(Finding::new(&path, what, SLICE));
            }
            lines.insert(name.to_string(), text.lines().count());
        }
        let manifest = format!("{dir}{MANIFEST_FILE}");
        if let Some(what) = mismatch(read(doctor, &manifest), lines) {
            doctor.tell(Finding::new(&manifest, what, SLICE));
        }
    }
    Ok(())
}

const SLICE: &str = "slice again: fthost run scripts/slice.rhai";

fn read(doctor: &Doctor, path: &str) -> Option<String> {
    doctor.project.read_text(path).ok()
}

fn bad_lines(text: &str) -> Vec<String> {
    let is_bad = |line: &str| !line.starts_with('{') || serde_json::from_str::<IgnoredAny>(line).is_err();
    text.lines().enumerate().filter(|(_, line)| is_bad(line)).map(|(i, _)| (i + 1).to_string()).collect()
}

#[derive(Deserialize)]
struct Entry {
    file: String,
    line: usize,
}

/// What is wrong with a manifest: it names each line of each file, in order.
fn mismatch(manifest: Option<String>, lines: BTreeMap<String, usize>) -> Option<String> {
    let Some(text) = manifest else {
        return Some("it is missing: where the examples come from is not known".into());
    };
    let mut named: BTreeMap<String, usize> = lines.keys().map(|name| (name.clone(), 0)).collect();
    for (i, line) in text.lines().enumerate() {
        let Ok(Entry { file, line }) = serde_json::from_str(line) else {
            return Some(format!("line {} cannot be read", i + 1));
        };
        let last = named.entry(file).or_default();
        *last += 1;
        if *last != line {
            return Some(format!("line {} is out of order", i + 1));
        }
    }
    let wrong = named.iter().find(|(file, count)| lines.get(*file).unwrap_or(&0) != *count);
    wrong.map(|(file, count)| {
        let there = lines.get(file).unwrap_or(&0);
        format!("it names {count} lines of {file}, which has {there}")
    })
}
