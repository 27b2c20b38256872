//! Which transcripts are reviewed, and in which order.

use super::desk::Desk;
use crate::base::{Kind, Result, hash};
use crate::cli::args::{Review, ReviewFilter};
use crate::pipeline::human::judged::Judged;

/// What there is to review.
#[derive(Debug, Default)]
pub struct Queue {
    /// The transcripts.
    pub ids: Vec<String>,
    /// How many of those that were chosen are reviewed already, and left out.
    pub reviewed: usize,
    /// How many have a verdict, and no transcript any more.
    pub missing: usize,
}

/// Chooses by the arguments.
pub fn choose(desk: &Desk, args: &Review) -> Result<Queue> {
    if !args.ids.is_empty() {
        args.ids.iter().try_for_each(|id| desk.judged_by_name(id).map(drop))?;
        return Ok(Queue { ids: args.ids.clone(), ..Queue::default() });
    }
    if let Some(criterion) = &args.criterion {
        desk.criterion(criterion)?;
    }
    let filter = args.filter.unwrap_or(ReviewFilter::Unreviewed);
    let mut chosen = matching(desk, filter, args.criterion.as_deref())?;
    match args.random {
        // First drawn, then without the reviewed ones: what is drawn stays the same from one session to the next.
        Some(n) => draw(&mut chosen, n as usize, args.seed),
        None => chosen.sort(),
    }
    leave_out_reviewed(desk, filter, chosen)
}

fn matching(desk: &Desk, filter: ReviewFilter, criterion: Option<&str>) -> Result<Vec<String>> {
    let mut chosen = Vec::new();
    desk.assessments.for_each_record(|id, record| {
        let judged = Judged::of(&record).map_err(|what| desk.assessments.damage(id, &what))?;
        let matches = match criterion {
            Some(criterion) => matches_in(&judged, filter, criterion),
            None => matches(&judged, filter),
        };
        if matches && (filter != ReviewFilter::Stale || is_stale(desk, id, &judged)) {
            chosen.push(id.to_string());
        }
        Ok(())
    })?;
    Ok(chosen)
}

fn matches(judged: &Judged, filter: ReviewFilter) -> bool {
    use ReviewFilter::*;
    // What was too short for a verdict is nothing to judge by.
    let has_verdict = judged.status.is_none();
    match filter {
        All => true,
        Unreviewed | Stale => has_verdict,
        Disagreements => has_verdict && (judged.disagreement || !judged.disputed.is_empty()),
        Failed => has_verdict && !judged.pass,
        Passed => judged.pass,
    }
}

/// The same of the answer to one criterion.
fn matches_in(judged: &Judged, filter: ReviewFilter, criterion: &str) -> bool {
    use ReviewFilter::*;
    let answer = judged.answer(criterion);
    match filter {
        All | Unreviewed | Stale => !answer.is_empty(),
        Disagreements => judged.is_disputed(criterion),
        Failed => matches!(answer, "NO" | "ERROR"),
        Passed => answer == "YES",
    }
}

fn is_stale(desk: &Desk, id: &str, judged: &Judged) -> bool {
    desk.reviews.get(id).is_some_and(|review| {
        let differs =
            |now: &Option<String>, then: &Option<String>| now.is_some() && then.is_some() && now != then;
        differs(&judged.transcript_hash, &review.transcript_hash)
            || differs(&judged.rubric_hash, &review.rubric_hash)
    })
}

fn draw(ids: &mut Vec<String>, n: usize, seed: u64) {
    ids.sort_by_cached_key(|id| hash::short(&format!("{seed}\n{id}")));
    ids.truncate(n);
}

fn leave_out_reviewed(desk: &Desk, filter: ReviewFilter, chosen: Vec<String>) -> Result<Queue> {
    let mut queue = Queue::default();
    for id in chosen {
        match is_reviewed(desk, &id, filter)? {
            None => queue.missing += 1,
            Some(true) => queue.reviewed += 1,
            Some(false) => queue.ids.push(id),
        }
    }
    Ok(queue)
}

/// None: there is no transcript any more.
fn is_reviewed(desk: &Desk, id: &str, filter: ReviewFilter) -> Result<Option<bool>> {
    if !desk.world.project.exists(&crate::store::ids::transcript_path(id))? {
        return Ok(None);
    }
    if matches!(filter, ReviewFilter::All | ReviewFilter::Stale) || desk.reviews.get(id).is_none() {
        return Ok(Some(false));
    }
    match desk.text(id) {
        Ok(text) => Ok(Some(desk.review_of(id, &text.hash).is_some())),
        // It is damaged: whoever comes to it is told.
        Err(error) if error.kind() == Kind::Data => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReviewFilter::*;
    use serde_json::json;

    fn judged(changes: serde_json::Value) -> Judged {
        let mut record =
            json!({"id": "a", "pass": true, "complete": true, "answers": {"A": "YES", "B": "NO"}});
        record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        Judged::of(&record).unwrap()
    }

    #[test]
    fn filters_go_by_the_verdict() {
        let found = |judged: &Judged| {
            let all = [All, Unreviewed, Disagreements, Failed, Passed];
            all.map(|filter| matches(judged, filter))
        };
        assert_eq!(found(&judged(json!({}))), [true, true, false, false, true]);
        assert_eq!(found(&judged(json!({"pass": false}))), [true, true, false, true, false]);
        assert_eq!(found(&judged(json!({"disputed": ["A"]}))), [true, true, true, false, true]);
        let short = judged(json!({"pass": false, "status": "TOO_SHORT"}));
        assert_eq!(found(&short), [true, false, false, false, false]);
    }

    #[test]
    fn with_a_criterion_they_go_by_its_answer() {
        let judged = judged(json!({"disputed": ["A"]}));
        let found = |criterion| {
            [All, Disagreements, Failed, Passed].map(|filter| matches_in(&judged, filter, criterion))
        };
        assert_eq!(found("A"), [true, true, false, true]);
        assert_eq!(found("B"), [true, false, true, false]);
        assert_eq!(found("C"), [false; 4]);
    }

    #[test]
    fn a_draw_is_the_same_each_time_and_another_by_another_seed() {
        let drawn = |n, seed| {
            let mut ids: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
            draw(&mut ids, n, seed);
            ids
        };
        assert_eq!(drawn(10, 1), drawn(10, 1));
        assert_eq!(drawn(10, 1)[..5], drawn(5, 1));
        assert_ne!(drawn(10, 1), drawn(10, 2));
    }
}
