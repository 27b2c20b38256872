//! Comments that allow a finding, with the reason: `// allow(unused-variable): kept for the docs`, on its line or
//! on the line before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, codes};
use crate::base::{Error, Kind, Place, suggest};
use crate::host::Session;
use crate::script::tokens::Tokens;

/// One such comment.
struct Allowed {
    code: String,
    reason: bool,
    line: usize,
    column: usize,
}

/// What of the comments themselves is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// Nothing.
    None,
    /// Their codes and reasons: what they would allow may not have been looked for.
    OfAllowed,
    /// Also whether they are needed.
    All,
}

/// Takes out what is allowed, and adds what is wrong with the comments.
pub fn apply(session: &Session, findings: Vec<Finding>, faults: Faults) -> Vec<Finding> {
    let texts = texts(session, &findings);
    let (mut kept, mut used) = (Vec::new(), BTreeSet::new());
    let comments: BTreeMap<&str, Vec<Allowed>> =
        texts.iter().map(|(file, text)| (file.as_str(), comments(session, file, text))).collect();
    for finding in findings {
        match allowing(&comments, &finding) {
            Some((file, index)) if !codes::is_fatal(finding.code) => used.extend([(file.to_string(), index)]),
            _ => kept.push(finding),
        }
    }
    if faults != Faults::None {
        for (file, all) in &comments {
            let wrong = all.iter().enumerate().filter_map(|(index, comment)| {
                let is_used = faults == Faults::OfAllowed || used.contains(&((*file).to_string(), index));
                fault(comment, is_used).map(|(code, error)| {
                    Finding::of(code, error.at(Place::new(file, &texts[*file], comment.line, comment.column)))
                })
            });
            kept.extend(wrong);
        }
    }
    kept
}

/// The texts that may have such comments: all scripts that are loaded, and the files below `config/`.
fn texts(session: &Session, findings: &[Finding]) -> BTreeMap<String, String> {
    let project = &session.world.project;
    let units = session.engine.library().units();
    let scripts = units
        .iter()
        .filter(|unit| !unit.path.starts_with("std/"))
        .map(|unit| (unit.path.clone(), unit.source.to_string()));
    let globs = ["config/**/*.yaml", "config/**/*.yml", "config/prompts/**/*.md"];
    let files = globs.iter().flat_map(|glob| project.list(glob).unwrap_or_default());
    let named = findings.iter().filter_map(|finding| finding.error.place().map(|place| place.file.clone()));
    let others = files.chain(named.filter(|file| file.ends_with(".md")));
    let read = others.filter_map(|path| project.read_text(&path).ok().map(|text| (path, text)));
    scripts.chain(read).filter(|(_, text)| text.contains("allow(")).collect()
}

fn comments(session: &Session, file: &str, text: &str) -> Vec<Allowed> {
    if file.ends_with(".rhai") || file.starts_with('(') {
        let tokens = Tokens::of(session.engine.engine(), text);
        let all = tokens
            .comments()
            .iter()
            .filter(|(comment, _)| !comment.starts_with("///") && !comment.starts_with("//!"));
        return all
            .filter_map(|(comment, position)| {
                read(comment.trim_start_matches(['/', '*']), position.line()?, position.position()?)
            })
            .collect();
    }
    let sign = if file.ends_with(".md") { "{#" } else { "#" };
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let at = line
                .match_indices(sign)
                .find(|(at, _)| line[at + sign.len()..].trim_start().starts_with("allow("))?
                .0;
            read(&line[at + sign.len()..], index + 1, line[..at].chars().count() + 1)
        })
        .collect()
}

/// `allow(code): reason`
fn read(comment: &str, line: usize, column: usize) -> Option<Allowed> {
    let rest = comment.trim_start_matches('-').trim().strip_prefix("allow(")?;
    let (code, rest) = rest.split_once(')')?;
    let reason = rest.trim_start().strip_prefix(':').unwrap_or_default();
    let reason = reason.trim_end_matches("#}").trim_end_matches(['-', '*', '/', ' ']);
    Some(Allowed { code: code.trim().into(), reason: !reason.trim().is_empty(), line, column })
}

fn allowing<'a>(comments: &BTreeMap<&'a str, Vec<Allowed>>, finding: &Finding) -> Option<(&'a str, usize)> {
    let place = finding.error.place()?;
    let (file, all) = comments.get_key_value(place.file.as_str())?;
    let fits = |allowed: &Allowed| {
        allowed.code == finding.code && (allowed.line == place.line || allowed.line + 1 == place.line)
    };
    all.iter().position(fits).map(|index| (*file, index))
}

fn fault(comment: &Allowed, is_used: bool) -> Option<(&'static str, Error)> {
    let code = &comment.code;
    if codes::find(code).is_none() {
        let known = codes::CODES.iter().map(|known| known.name);
        let near = suggest::nearest(code, known).map(|near| format!("did you mean `{near}`? "));
        let hint = format!("{}`fthost check --explain` lists the codes", near.unwrap_or_default());
        return Some((
            "allow-unknown",
            Error::new(Kind::Script, format!("there is no finding `{code}`")).hint(hint),
        ));
    }
    if codes::is_fatal(code) {
        let error =
            Error::new(Kind::Script, format!("`{code}` cannot be allowed: the script would not load"));
        return Some(("allow-unused", error.hint("mend it, and remove the comment")));
    }
    if !is_used {
        let error = Error::new(Kind::Script, format!("there is no `{code}` here that this allows"));
        return Some((
            "allow-unused",
            error.hint("remove the comment: it counts for its own line and the next"),
        ));
    }
    let error = Error::new(Kind::Script, format!("`{code}` is allowed here without a reason"));
    (!comment.reason)
        .then(|| ("allow-reason", error.hint(format!("say why: `// allow({code}): kept for the docs`"))))
}
