//! Reports of made-up rounds.

use super::*;
use crate::author::changes::{Criterion, Said, Standing};

const SIZE: Size = Size { width: 60, all: false };

fn changed(id: &str, turn: usize) -> TranscriptChange {
    let said = |text: &str| Some(text.to_string());
    let first = Said { turn, who: "assistant", before: said("Hello."), after: said("Hello, what can I do?") };
    TranscriptChange { id: id.into(), turns: 6, first: Some(first) }
}

fn flipped(id: &str) -> VerdictChange {
    let criterion = |id: &str| Criterion { id: id.into(), before: "YES".into(), after: "NO".into() };
    let criteria = vec![criterion("C1"), criterion("C4")];
    VerdictChange { id: id.into(), before: Standing::Pass, after: Standing::Fail, criteria }
}

fn prompt(who: &str, by_edit: bool) -> PromptChange {
    PromptChange {
        item: "p1".into(),
        who: who.into(),
        call: 2,
        before: "one\ntwo\nthree".into(),
        after: "one\n2\nthree".into(),
        by_edit,
    }
}

fn report(changes: Changes, is_whole: bool) -> Report<'static> {
    Report { number: 2, edited: &[], changes, calls: Calls::default(), is_whole }
}

fn usual() -> Changes {
    let generation = JobChange {
        name: "data/g.jsonl".into(),
        redone: 4,
        failed: 1,
        kept: 2,
        prompts: vec![prompt("assistant", true)],
        ..JobChange::default()
    };
    let verdicts = Verdicts {
        before: Rate { pass: 4, of: 4 },
        after: Rate { pass: 3, of: 4 },
        changes: vec![flipped("p3")],
        other_answers: 1,
    };
    let assessment = JobChange {
        name: "data/a.jsonl".into(),
        redone: 4,
        verdicts: Some(verdicts),
        prompts: vec![prompt("judges", false)],
        ..JobChange::default()
    };
    let ids = ["p1", "p2", "p3", "p4"];
    Changes {
        jobs: vec![generation, assessment],
        transcripts: ids.iter().enumerate().map(|(i, id)| changed(id, i + 1)).collect(),
        same_transcripts: 1,
    }
}

#[test]
fn a_usual_round_is_a_screen() {
    let expected = "
ROUND 2
  data/g.jsonl: 4 redone, 1 failed, 2 as before
  data/a.jsonl: 4 redone
prompt of assistant (call 2 of p1)
    - two
    + 2
prompt of judges: another one, since what it quotes has changed (-v shows it)
transcripts: 4 changed, 1 made anew, with the same words
  p1 from turn 1 on
    - assistant: Hello.
    + assistant: Hello, what can I do?
  p2 from turn 2 on
    - assistant: Hello.
    + assistant: Hello, what can I do?
  p3 from turn 3 on
    - assistant: Hello.
    + assistant: Hello, what can I do?
  and 1 more: p4
verdicts: 3 of 4 (75 %) pass, before 4 of 4 (100 %)
  p3: pass -> fail (C1 YES -> NO, C4 YES -> NO)
  1 the same, with other answers
calls: 0 new; 0.0 s";
    let text = report(usual(), true).body(SIZE).join("\n");
    assert_eq!(text, expected);
    assert!(text.lines().count() <= 30);
}

#[test]
fn all_of_it_is_shown_when_asked_for() {
    let text = report(usual(), true).body(Size { all: true, ..SIZE }).join("\n");
    assert!(text.contains("prompt of judges (call 2 of p1)\n      one\n    - two\n    + 2"), "{text}");
    assert!(text.contains("  p4 from turn 4 on") && !text.contains(" more: "), "{text}");
}

#[test]
fn many_changes_stay_a_screen() {
    let mut changes = usual();
    changes.transcripts = (0..500).map(|i| changed(&format!("p{i:03}"), 1)).collect();
    let long = |sign: &str| (0..300).map(|i| format!("{sign}{i}\n")).collect::<String>();
    let prompt = PromptChange { before: long("a"), after: long("b"), ..prompt("assistant", true) };
    changes.jobs[0].prompts = vec![prompt];
    changes.jobs[1].verdicts.as_mut().unwrap().changes =
        (0..500).map(|i| flipped(&format!("p{i:03}"))).collect();
    let text = report(changes, true).body(SIZE);
    assert!(text.len() <= 40, "{}", text.join("\n"));
    let text = text.join("\n");
    assert!(text.contains("  and 497 more: p003, p004, p005 and 494 more\n"), "{text}");
    assert!(text.contains("    ... 594 more lines, shown by -v\n"), "{text}");
}

#[test]
fn a_round_without_work_and_one_that_was_cut_short_say_so() {
    let idle = Changes { jobs: vec![JobChange { kept: 5, ..JobChange::default() }], ..Changes::default() };
    let text = report(idle.clone(), true).body(SIZE).join("\n");
    assert_eq!(text, "\nROUND 2\n  nothing to do\ncalls: 0 new; 0.0 s");
    let stale = Changes { jobs: vec![JobChange { stale: 5, ..JobChange::default() }], ..Changes::default() };
    let text = report(stale, true).body(SIZE).join("\n");
    assert!(text.contains("  nothing to do; 5 stale: kept until the next edit\n"), "{text}");
    let cut = report(idle, false).body(SIZE).join("\n");
    assert_eq!(cut, "\nROUND 2  cut short by an edit: what it had is kept\ncalls: 0 new; 0.0 s");
}
