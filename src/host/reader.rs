//! Items that are read one by one: never all at once in memory.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use rhai::Dynamic;
use serde_json::Value;

use crate::base::{Error, Kind, Place, Result};
use crate::pipeline::transcript;
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

    /// The files that hold one item each, if that is where they are.
    pub fn paths(&self) -> Option<&[String]> {
        match &self.source {
            Source::Transcripts(paths) => Some(paths),
            Source::Lines(_) => None,
        }
    }

    /// The items, none of them read yet.
    pub fn iter(&self) -> Box<dyn Iterator<Item = Unread> + Send> {
        let project = self.project.clone();
        match &self.source {
            Source::Transcripts(paths) => {
                let paths = paths.clone();
                let at =
                    move |place| Unread::Transcript { project: project.clone(), paths: paths.clone(), place };
                Box::new((0..self.known_len().unwrap_or(0)).map(at))
            }
            Source::Lines(path) => match lines(&project, path) {
                Ok(lines) => Box::new(lines),
                Err(error) => Box::new(std::iter::once(Unread::Line(Err(error)))),
            },
        }
    }
}

impl IntoIterator for LazyItems {
    type Item = ScriptResult<Dynamic>;
    type IntoIter = Box<dyn Iterator<Item = ScriptResult<Dynamic>>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter().map(|item| Ok(values::from_json(&item.read()?))))
    }
}

/// An item before it is read.
pub enum Unread {
    /// A file of its own, one of many.
    Transcript {
        /// Where they are.
        project: Arc<Project>,
        /// All of them.
        paths: Arc<Vec<String>>,
        /// Which of them it is.
        place: usize,
    },
    /// A line of a file, or why there is none.
    Line(Result<(Arc<str>, usize, String)>),
}

impl Unread {
    /// The id that its file is named by.
    pub fn id(&self) -> Option<String> {
        match self {
            Unread::Transcript { paths, place, .. } => stem(&paths[*place]),
            Unread::Line(_) => None,
        }
    }

    /// The item, as JSON.
    pub fn read(self) -> Result<Value> {
        match self {
            Unread::Transcript { project, paths, place } => read_transcript(&project, &paths[place]),
            Unread::Line(line) => line.and_then(|(path, number, text)| parse_line(&path, number, &text)),
        }
    }
}

/// `data/raw/transcripts/a.json` -> `a`
fn stem(path: &str) -> Option<String> {
    Some(path.rsplit('/').next()?.strip_suffix(".json")?.to_string())
}

/// A transcript's file, checked for its shape.
pub fn read_transcript(project: &Project, path: &str) -> Result<Value> {
    Ok(transcript::read(path, &project.read_text(path)?)?.into_value())
}

fn lines(project: &Project, path: &Arc<str>) -> Result<impl Iterator<Item = Unread> + Send + use<>> {
    let file = BufReader::new(project.open_read(path)?);
    let path = path.clone();
    Ok(file.lines().enumerate().filter_map(move |(i, line)| match line {
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => Some(Unread::Line(Ok((path.clone(), i + 1, line)))),
        Err(e) => {
            let at = format!("{path}, line {}", i + 1);
            Some(Unread::Line(Err(Error::io(Kind::Data, "read", at, &e))))
        }
    }))
}

/// One line of a JSONL file.
pub fn parse_line(path: &str, number: usize, line: &str) -> Result<Value> {
    serde_json::from_str(line).map_err(|e| {
        let place = Place { file: path.into(), line: number, column: e.column(), text: line.into() };
        Error::new(Kind::Data, "this line is not JSON").at(place).hint("each line must be one JSON value")
    })
}
