//! Items that are read one by one: never all at once in memory.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use rhai::Dynamic;
use serde_json::Value;

use crate::base::{Error, Kind, Place, Result};
use crate::pipeline::transcript::Transcript;
use crate::script::{ScriptResult, values};
use crate::store::Project;

/// What `read_transcripts` and `stream_jsonl` give: usable in `for`, `process` and `parallel_map`.
#[derive(Clone)]
pub struct LazyItems {
    project: Arc<Project>,
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// One file an item.
    Transcripts(Arc<Vec<String>>),
    /// One line an item.
    Lines(Arc<str>),
}

impl LazyItems {
    /// The transcripts in these files.
    pub fn transcripts(project: &Arc<Project>, paths: Vec<String>) -> LazyItems {
        LazyItems { project: project.clone(), source: Source::Transcripts(paths.into()) }
    }

    /// The lines of a JSONL file, which must exist.
    pub fn lines(project: &Arc<Project>, path: &str) -> Result<LazyItems> {
        project.open_read(path)?;
        Ok(LazyItems { project: project.clone(), source: Source::Lines(path.into()) })
    }

    /// How many there are, when that is known without reading them.
    pub fn known_len(&self) -> Option<usize> {
        match &self.source {
            Source::Transcripts(paths) => Some(paths.len()),
            Source::Lines(_) => None,
        }
    }

    /// The items, as JSON, with the ids that their files are named by.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (Option<String>, Result<Value>)> + Send> {
        let project = self.project.clone();
        match &self.source {
            Source::Transcripts(paths) => {
                let paths = paths.clone();
                Box::new(
                    (0..paths.len()).map(move |i| (stem(&paths[i]), read_transcript(&project, &paths[i]))),
                )
            }
            Source::Lines(path) => match lines(&project, path) {
                Ok(lines) => Box::new(lines.map(|line| (None, line))),
                Err(error) => Box::new(std::iter::once((None, Err(error)))),
            },
        }
    }
}

impl IntoIterator for LazyItems {
    type Item = ScriptResult<Dynamic>;
    type IntoIter = Box<dyn Iterator<Item = ScriptResult<Dynamic>>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter().map(|(_, item)| Ok(values::from_json(&item?))))
    }
}

/// `data/raw/transcripts/a.json` -> `a`
fn stem(path: &str) -> Option<String> {
    Some(path.rsplit('/').next()?.strip_suffix(".json")?.to_string())
}

/// A transcript's file, checked for its shape.
pub fn read_transcript(project: &Project, path: &str) -> Result<Value> {
    let text = project.read_text(path)?;
    Transcript::parse(path, &text)?;
    serde_json::from_str(&text).map_err(|e| Error::new(Kind::Data, format!("{path}: {e}")))
}

type Lines = Box<dyn Iterator<Item = Result<Value>> + Send>;

fn lines(project: &Project, path: &str) -> Result<Lines> {
    let file = BufReader::new(project.open_read(path)?);
    let path = path.to_string();
    let numbered = file.lines().enumerate();
    Ok(Box::new(numbered.filter_map(move |(i, line)| match line {
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => Some(parse_line(&path, i + 1, &line)),
        Err(e) => Some(Err(Error::io(Kind::Data, "read", format!("{path}, line {}", i + 1), &e))),
    })))
}

/// One line of a JSONL file.
pub fn parse_line(path: &str, number: usize, line: &str) -> Result<Value> {
    serde_json::from_str(line).map_err(|e| {
        let place = Place { file: path.into(), line: number, column: e.column(), text: line.into() };
        Error::new(Kind::Data, "this line is not JSON").at(place).hint("each line must be one JSON value")
    })
}
