//! At a terminal: what stands on the screen, what the keys do, and that nothing is lost.

use std::process::Command;

use serde_json::json;

use super::{HUMAN, judged};
use crate::repl::screen::Terminal;
use crate::support::TestProject;

/// Rows and columns of the smallest terminal that is of use.
const NARROW: (u16, u16) = (24, 80);

const WIDE: (u16, u16) = (40, 140);

fn review(project: &TestProject, args: &[&str], size: (u16, u16)) -> Terminal {
    let environment = [("NO_COLOR", "1"), ("USER", "ann")];
    Terminal::command(project, &[&["review"], args].concat(), &environment, size)
}

#[test]
fn a_transcript_is_reviewed_and_the_next_session_goes_on() {
    let project = judged(&["bad_1", "good_1", "good_2"]);
    let mut terminal = review(&project, &[], NARROW);
    terminal.shows("bad_1  FAILED");
    terminal.shows("1 of 3");
    // C3: the strict judge's words stand below the turn that they speak of.
    terminal.press("3");
    terminal.shows("C3 Is every direct question");
    terminal.shows("▶─ turn 2");
    terminal.shows("┃ In turn 2 the question is dodged");
    terminal.shows("strict NO  mild YES  final NO  you -");
    terminal.press("y");
    terminal.shows("C3≠ NO✓");
    terminal.press("4n");
    terminal.shows("C4≠ NO→YES");
    terminal.press("ttoo vague\r");
    terminal.shows("note: too vague");
    assert!(
        !project.exists(HUMAN) || project.read(HUMAN).is_empty(),
        "nothing is written before the verdict"
    );
    terminal.press("R");
    terminal.shows("reject: written");
    let line = project.lines(HUMAN).remove(0);
    assert_eq!(
        (&line["id"], &line["verdict"], &line["reviewer"]),
        (&json!("bad_1"), &json!("reject"), &json!("ann"))
    );
    assert_eq!((&line["answers"], &line["note"]), (&json!({"C3": "NO", "C4": "YES"}), &json!("too vague")));
    terminal.press(" ");
    terminal.shows("good_1  PASSED");
    terminal.press("Y");
    terminal.shows("C1 YES✓");
    terminal.press("A");
    terminal.shows("accept: written");
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(project.lines(HUMAN)[1]["answers"].as_object().unwrap().len(), 8);

    let mut terminal = review(&project, &[], NARROW);
    terminal.shows("good_2  PASSED");
    terminal.shows("1 of 1, 2 reviewed before");
    terminal.press("A");
    terminal.shows("accept: written");
    terminal.press(" ");
    terminal.shows("this was the last one");
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
    let terminal = review(&project, &[], NARROW);
    terminal.shows("all 3 are reviewed");
    assert_eq!(terminal.ends(), 0);
    project.run("run scripts/slice.rhai").exits(0);
    assert!(!project.read("data/processed/manifest.jsonl").contains("bad_1"));
}

#[test]
fn answers_without_a_verdict_are_asked_about() {
    let project = judged(&["good_1", "good_2"]);
    let mut terminal = review(&project, &[], NARROW);
    terminal.shows("good_1  PASSED");
    terminal.press("n ");
    terminal.shows("for want of a verdict");
    terminal.press("R");
    terminal.shows("good_2  PASSED");
    assert_eq!(project.lines(HUMAN)[0]["answers"], json!({"C1": "NO"}));
    // Back to the first: what was said is there, and can be changed.
    terminal.press("\x1b[D");
    terminal.shows("you: reject");
    terminal.press("u");
    terminal.shows("nothing to take back");
    terminal.press("A");
    terminal.shows("accept: written");
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
    let lines = project.lines(HUMAN);
    assert_eq!(
        (lines.len(), &lines[1]["verdict"], &lines[1]["answers"]),
        (2, &json!("accept"), &json!({"C1": "NO"}))
    );
}

#[test]
fn ctrl_c_asks_once_and_then_leaves() {
    let project = judged(&["good_1"]);
    let mut terminal = review(&project, &[], NARROW);
    terminal.shows("good_1  PASSED");
    terminal.press("n\x03");
    terminal.shows("for want of a verdict");
    terminal.press("\x03");
    terminal.until("the shell's screen", |_| !terminal.is_alternate());
    assert_eq!(terminal.ends(), 130);
}

#[test]
fn sigterm_gives_the_terminal_back_and_tells_what_was_not_written() {
    let project = judged(&["good_1"]);
    let mut terminal = review(&project, &[], NARROW);
    terminal.shows("good_1  PASSED");
    assert!(terminal.is_alternate());
    terminal.press("n");
    terminal.shows("C1 YES→NO");
    let killed = Command::new("kill").args(["-TERM", &terminal.pid().to_string()]).status().unwrap();
    assert!(killed.success());
    terminal.shows("had no verdict yet, and was not written");
    assert!(!terminal.is_alternate());
    assert_eq!(terminal.ends(), 130);
}

#[test]
fn a_wide_terminal_has_two_columns_and_follows_its_size() {
    let project = judged(&["bad_1"]);
    let mut terminal = review(&project, &["bad_1"], WIDE);
    terminal.press("3");
    let beside =
        |text: &str| text.lines().any(|line| line.contains("question 2") && line.contains("In turn 2"));
    terminal.until("both columns", beside);
    terminal.resize(NARROW.0, NARROW.1);
    // Drawn anew, and not only cut off: the footer has the keys that fit.
    let drawn = |text: &str| text.trim_end().ends_with("q quit  t note");
    terminal.until("one column", |text| drawn(text) && text.contains("┃ In turn 2") && !beside(text));
    terminal.press("?");
    terminal.shows("take back the last choice");
    terminal.press("x");
    terminal.press("/takes about 3\r");
    terminal.shows("it takes about 3 days");
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn filters_choose() {
    let project = judged(&["bad_1", "bad_2", "good_1", "good_2"]);
    project.run("review bad_1 --accept").exits(0);
    for (args, first, position) in [
        ("--filter disagreements", "bad_2", "1 of 1, 1 reviewed before"),
        ("--filter failed", "bad_2", "1 of 1, 1 reviewed before"),
        ("--filter passed", "good_1", "1 of 2"),
        ("--filter all", "bad_1", "1 of 4"),
        ("--filter failed --criterion C3", "bad_2", "1 of 1, 1 reviewed before"),
        ("--filter passed --criterion C4", "good_1", "1 of 2"),
        ("--filter disagreements --criterion C1", "no transcript is of that sort", ""),
        ("--filter stale", "no transcript is of that sort", ""),
        ("--random 4 --seed 3", "PASSED", "1 of 3, 1 reviewed before"),
    ] {
        let mut terminal = review(&project, &args.split(' ').collect::<Vec<_>>(), NARROW);
        terminal.shows(first);
        terminal.shows(position);
        terminal.press("q");
        assert_eq!(terminal.ends(), 0, "{args}");
    }
}

#[test]
fn one_reviewer_at_a_time() {
    let project = judged(&["good_1"]);
    let mut terminal = review(&project, &[], NARROW);
    terminal.shows("good_1  PASSED");
    let says = format!("process {} on ", terminal.pid());
    project.run("review good_1 --reject").exits(75).says(&says).says("one reviewer at a time");
    // Those who only read go on.
    project.run("review --agreement").exits(0);
    project.run("run scripts/slice.rhai").exits(0);
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn nothing_in_a_transcript_is_obeyed_by_the_terminal() {
    let project = judged(&["good_1"]);
    let path = "data/raw/transcripts/good_1.json";
    let mut transcript = project.json(path);
    transcript["exchanges"][0]["user"] =
        json!("\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m wide 日本語 \u{202e}evil");
    project.write(path, &transcript.to_string());
    let mut terminal = review(&project, &[], NARROW);
    terminal.shows("edited since it was judged");
    terminal.shows("␛[2J␛]0;owned␇");
    terminal.shows("wide 日本語");
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_disputed_turn_becomes_a_calibration_example() {
    let project = judged(&["bad_1"]);
    let before = project.read("config/rubric.yaml");
    let mut terminal = review(&project, &[], NARROW);
    terminal.shows("bad_1  FAILED");
    terminal.press("3n");
    terminal.shows("C3≠ NO→YES");
    terminal.press("R");
    terminal.shows("reject: written");
    terminal.press("e");
    terminal.shows("turn 2 as an example of C3");
    terminal.press("p");
    terminal.shows("why PASS:");
    terminal.press("\x15A number is an answer.\r");
    terminal.shows("--redo stale");
    terminal.press("x");
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
    let new = "      - {type: PASS, context: \"question 2 of bad_1: how long does it take?\", \
               response: \"answer 2: it takes about 2 days\", reasoning: \"A number is an answer.\"}\n";
    let after = project.read("config/rubric.yaml");
    assert_eq!(after.replace(new, ""), before);
    let last = "reasoning: \"No date, but all that can be known: YES.\"}\n";
    assert!(after.contains(&format!("{last}{new}")), "behind the last one of C3");
    project.run("check").exits(0);
    project.run("run scripts/slice.rhai").exits(0).prints("did not pass");
    // The question is the same, so the review still tells of judges that are asked anew.
    let agreement = || project.run("review --agreement --json").exits(0).events().remove(0);
    assert_eq!(agreement()["counted"], json!(1));
}

#[test]
fn an_example_that_does_not_fit_in_is_shown_to_be_put_in_by_hand() {
    let project = judged(&["bad_1"]);
    let rubric = project.read("config/rubric.yaml");
    let at = rubric.find("  - id: C4").unwrap();
    let (head, tail) = rubric.split_at(at);
    let (head, tail) = (head.replacen("    examples:", "    examples: &same", 1), tail.to_string());
    let c3 = head.find("  - id: C3").unwrap();
    let list = c3 + head[c3..].find("    examples:").unwrap();
    let text = format!("{}    examples: *same\n\n{tail}", &head[..list]);
    project.write("config/rubric.yaml", &text);
    let mut terminal = review(&project, &[], WIDE);
    terminal.shows("judged by another rubric");
    terminal.press("3ef\r");
    terminal.shows("nothing was written");
    terminal.shows("put it in by hand, below `examples:` of C3");
    terminal.shows("- {type: FAIL, context: \"question 2 of bad_1");
    terminal.press("xq");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(project.read("config/rubric.yaml"), text);
}
