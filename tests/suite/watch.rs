//! `run --watch`: edits, the rounds that follow them, and what these say of themselves. And `test --watch`.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fault_server::{Answer, ModelServer, Received, fit};
use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::host::Session;
use fthost::store::Project;
use fthost::work::World;
use serde_json::{Value, json};

use crate::docs::console_lines_below;
use crate::support::{TestProject, until};

/// Two of three personas, two turns each, one judge: 8 calls and 2.
const LOOP: &str = "run --watch scripts/generate.rhai scripts/assess.rhai -s personas=3 -s turns=2 --limit 2";

/// Long enough to edit or to interrupt in the middle of a round.
const SLOW: Duration = Duration::from_millis(500);

const ASSISTANT: &str = "config/prompts/assistant.md";
const ASSESSOR: &str = "config/prompts/assessor.md";
const USER_SIM: &str = "config/prompts/user_sim.md";

/// A command that watches, and all that it says.
struct Watching<'a> {
    project: &'a TestProject,
    child: Child,
}

impl<'a> Watching<'a> {
    fn start(project: &'a TestProject, words: &str) -> Watching<'a> {
        let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
        let said = File::create(project.path("said")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(said.try_clone().unwrap()).stdout(said).spawn();
        Watching { project, child: child.unwrap() }
    }

    fn said(&self) -> String {
        self.project.read("said")
    }

    #[track_caller]
    fn waits_for(&self, text: &str) {
        let mut said = String::new();
        until(text, || {
            said = self.said();
            said.contains(text)
        });
    }

    /// The report of a round, once the command waits again.
    #[track_caller]
    fn round(&self, number: usize) -> String {
        let head = format!("\nROUND {number}\n");
        self.waits_for(&head);
        let report = || {
            let said = self.said();
            let (_, rest) = said.split_once(&head)?;
            rest.split_once("\nwatching ").map(|(report, _)| report.to_string())
        };
        until("the end of the report", || report().is_some());
        report().unwrap()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// The exit code after Ctrl-C.
    fn interrupt(mut self) -> i32 {
        self.signal("INT");
        let mut code = None;
        until("the end", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn has(report: &str, texts: &[&str]) {
    texts.iter().for_each(|text| assert!(report.contains(text), "no {text:?} in\n{report}"));
}

/// Judges who are told to be VERY STRICT find that C1 does not hold.
fn strict_when_told(asked: &Received) -> Answer {
    match asked.schema().filter(|_| asked.logical().text().contains("VERY STRICT")) {
        None => Answer::Usual,
        Some(schema) => {
            let mut answers = fit(&schema);
            answers["C1"]["answer"] = "NO".into();
            Answer::Text(answers.to_string())
        }
    }
}

// Edits

#[test]
fn an_edit_of_a_later_turn_pays_only_for_what_follows_from_it() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    let watching = Watching::start(&project, LOOP);
    let first = watching.round(1);
    has(&first, &["generation_checkpoint.jsonl: 2 new", "transcripts: 2 new (persona_0001, persona_0002)"]);
    has(&first, &["verdicts: 2 of 2 (100 %) pass, none before", "calls: 10 new; "]);
    assert_eq!(server.requests().len(), 10);
    // It stands in the prompt from the second turn on.
    project.edit(ASSISTANT, "Begin in another way.", "Begin with other words.");
    let second = watching.round(2);
    has(&second, &["generation_checkpoint.jsonl: 2 redone", "assessments/checkpoint.jsonl: 2 redone"]);
    has(&second, &["prompt of assistant (call 4 of persona_0001)\n", "below. Begin in another way.\n"]);
    has(
        &second,
        &["below. Begin with other words.\n", "prompt of judges: another one, since what it quotes"],
    );
    has(
        &second,
        &["transcripts: 2 changed\n  persona_0001 from turn 2 on\n    - assistant: ", "\n    + assistant: "],
    );
    has(&second, &["calls: 4 new, 6 given again at no cost; "]);
    assert_eq!(server.requests().len(), 14, "the second reply and the verdict, of each");
    // The same of the user: both of the second turn are asked anew.
    project.edit(
        USER_SIM,
        "{{ persona.word_limit }} words.",
        "{{ persona.word_limit }} words.{% if turn == 2 %} Hurry.{% endif %}",
    );
    let third = watching.round(3);
    has(
        &third,
        &["prompt of user_sim (call 3 of persona_0001)\n", "persona_0001 from turn 2 on\n    - user: "],
    );
    has(&third, &["calls: 6 new, 4 given again at no cost; "]);
    assert_eq!(server.requests().len(), 20);
    assert_eq!(watching.interrupt(), 0);
    has(&project.read("said"), &["\n3 rounds: 20 new calls, "]);
}

#[test]
fn an_edit_of_the_judges_prompt_asks_judges_alone_and_shows_their_other_verdicts() {
    let server = ModelServer::start();
    server.set_rule(strict_when_told);
    let project = TestProject::shipped_live(&server);
    let watching = Watching::start(&project, &format!("{LOOP} scripts/slice.rhai"));
    watching.round(1);
    // As editors do it: aside, and renamed.
    let edited = project.read(ASSESSOR).replace("You are strict and fair", "You are VERY STRICT");
    project.write("config/prompts/.assessor.md.swp", "swap");
    project.write("config/prompts/assessor.md.tmp", &edited);
    fs::rename(project.path("config/prompts/assessor.md.tmp"), project.path(ASSESSOR)).unwrap();
    let second = watching.round(2);
    has(&watching.said(), &["\nedited config/prompts/assessor.md\n"]);
    has(&second, &["prompt of judges (call 1 of persona_0001)\n", "+ You judge", "VERY STRICT"]);
    has(&second, &["verdicts: 0 of 2 (0 %) pass, before 2 of 2 (100 %)\n"]);
    has(
        &second,
        &["  persona_0001: pass -> fail (C1 YES -> NO)\n  persona_0002: pass -> fail (C1 YES -> NO)\n"],
    );
    has(&second, &["calls: 2 new; "]);
    assert!(!second.contains("generation") && !second.contains("transcripts:"), "{second}");
    assert_eq!(server.requests().len(), 12);
    // And back: the ledger knows the answers.
    project.edit(ASSESSOR, "You are VERY STRICT", "You are strict and fair");
    let third = watching.round(3);
    has(&third, &["persona_0001: fail -> pass (C1 NO -> YES)", "calls: 0 new, 2 given again at no cost; "]);
    assert_eq!(server.requests().len(), 12);
}

#[test]
fn another_role_in_the_configuration_holds_from_the_next_round_on() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    let watching = Watching::start(&project, LOOP);
    watching.round(1);
    let config = project.read("config/fthost.yaml");
    let other = config.replace("judges: [live]", "judges: [other]").replace(
        "roles:",
        &format!(
            "  other: {{kind: openai-chat, model: second, base_url: \"{}\", api_key_env: null}}\nroles:",
            server.url()
        ),
    );
    project.write("config/fthost.yaml", &other);
    let second = watching.round(2);
    has(
        &second,
        &["assessments/checkpoint.jsonl: 2 redone", "- [to live]\n", "+ [to other]\n", "calls: 2 new; "],
    );
    let models: Vec<String> = server.requests()[10..].iter().map(|asked| asked.logical().model).collect();
    assert_eq!(models, ["second", "second"]);
}

#[test]
fn a_mistake_is_reported_and_the_command_goes_on_after_its_mending() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    project.edit("scripts/criteria.rhai", "length_stats(exchanges)", "lenght_stats(exchanges)");
    let watching = Watching::start(&project, LOOP);
    watching.waits_for("did you mean `length_stats`?");
    watching.waits_for("\nwatching scripts/");
    assert!(server.requests().is_empty());
    project.edit("scripts/criteria.rhai", "lenght_stats(exchanges)", "length_stats(exchanges)");
    has(&watching.round(2), &["calls: 10 new; "]);
    project.edit("config/fthost.yaml", "roles:", "rolls:");
    watching.waits_for("edited config/fthost.yaml\nerror: ");
    until("the wait", || watching.said().matches("\nwatching ").count() == 3);
    // Another run may work meanwhile: nothing is held.
    assert_eq!(watching.interrupt(), 2, "the last round's code");
    assert_eq!(server.requests().len(), 10);
}

#[test]
fn what_scripts_say_again_is_not_repeated_and_nothing_is_held_between_rounds() {
    let project = TestProject::of(
        r#"
        print("always the same, in 0.5 s");
        print(`edited: ${read_text("config/note.md")}`);
        process([#{id: "a"}], #{checkpoint: "data/c.jsonl"}, |item| #{n: 1});
        "#,
    );
    project.write("config/note.md", "one");
    let watching = Watching::start(&project, "run --watch scripts/main.rhai");
    has(&watching.round(1), &["data/c.jsonl: 1 new"]);
    project.main("").exits(0).prints("edited: one");
    project.write("config/note.md", "two");
    let second = watching.round(2);
    has(&second, &["  nothing to do\n", "calls: 0 new; "]);
    let said = watching.said();
    assert_eq!(said.matches("always the same").count(), 1, "{said}");
    assert!(said.contains("edited: one") && said.contains("edited: two"), "{said}");
    assert_eq!(watching.interrupt(), 0);
}

#[test]
fn the_guide_shows_what_is_so() {
    let project = TestProject::shipped();
    let words = "run --watch --limit 5 scripts/generate.rhai scripts/assess.rhai -s turns=6";
    let watching = Watching::start(&project, words);
    watching.round(1);
    project.edit("config/prompts/system.md", "; never more than 120 words", "");
    watching.round(2);
    let config = project.read("config/fthost.yaml");
    let weak = config
        .replace(
            "  offline: {kind: offline}\n",
            "  offline: {kind: offline}\n  offline-weak: {kind: offline, model: weak}\n",
        )
        .replace("assistant: {backend: offline,", "assistant: {backend: offline-weak,");
    project.write("config/fthost.yaml", &weak);
    watching.round(3);
    let said = watching.said();
    let lines: Vec<&str> = said.lines().collect();
    for shown in console_lines_below("docs/guide.md", "## The loop") {
        let is_time = shown.starts_with("calls: ");
        let shown = if is_time { shown.rsplit_once(';').unwrap().0 } else { &shown };
        let same = |line: &&str| *line == shown || is_time && line.starts_with(shown);
        assert!(shown == "..." || lines.iter().any(same), "not said: {shown}\n{said}");
    }
}

// Stops

#[test]
fn an_edit_in_a_round_saves_what_is_on_the_wire_and_begins_the_next() {
    let server = ModelServer::start();
    server.set_latency(SLOW);
    let project = TestProject::shipped_live(&server);
    let watching = Watching::start(&project, LOOP);
    until("a few calls", || server.requests().len() >= 3);
    project.edit(ASSESSOR, "You are strict and fair", "You are fair and strict");
    let second = watching.round(2);
    let said = watching.said();
    has(&said, &["\nedited config/prompts/assessor.md: the next round begins"]);
    has(&said, &["ROUND 1  cut short by an edit: what it had is kept\n"]);
    assert!(!said.contains("error"), "{said}");
    has(&second, &["data/raw/generation_checkpoint.jsonl: 2 new", " given again at no cost; "]);
    assert_eq!(server.requests().len(), 10, "nothing was asked twice");
    assert_eq!(watching.interrupt(), 0);
}

#[test]
fn ctrl_c_in_a_round_drains_it() {
    let server = ModelServer::start();
    server.set_latency(SLOW);
    let project = TestProject::shipped_live(&server);
    let watching = Watching::start(&project, LOOP);
    until("a few calls", || server.requests().len() >= 3);
    assert_eq!(watching.interrupt(), 130);
    has(&project.read("said"), &["interrupted: ", "\nROUND 1\n", "\n1 round: "]);
    let asked = server.requests().len();
    assert_eq!(project.ledger("SELECT * FROM replies").len(), asked, "all of them are kept");
    server.set_latency(Duration::ZERO);
    project.run(&LOOP.replace("--watch", "")).exits(0);
    assert_eq!(server.requests().len(), 10, "nothing was asked twice");
}

#[test]
fn caps_count_all_rounds() {
    for (cap, flag, of_project) in
        [("--max-calls", "--max-calls 11", ""), ("budget.calls", "", "budget: {calls: 11}\n")]
    {
        let server = ModelServer::start();
        let project = TestProject::shipped_live(&server);
        project.write("config/fthost.yaml", &(project.read("config/fthost.yaml") + of_project));
        let watching = Watching::start(&project, &format!("{LOOP} {flag}"));
        has(&watching.round(1), &[&format!("spent 10 calls of 11 calls ({cap})")]);
        project.edit(ASSESSOR, "You are strict and fair", "You are fair and strict");
        has(&watching.round(2), &[&format!("spent 11 calls of 11 calls ({cap})"), "calls: 1 new"]);
        has(&watching.said(), &[&format!("error: {cap}")]);
        assert_eq!(server.requests().len(), 11);
        // What is known costs nothing, and so goes on.
        project.edit(ASSESSOR, "You are fair and strict", "You are strict and fair");
        has(&watching.round(3), &["calls: 0 new, "]);
        assert_eq!(watching.interrupt(), 0);
    }
}

// The command line

#[test]
fn flags_that_would_pay_for_all_anew_are_refused() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    for flag in ["--dry-run", "--fresh", "--redo all", "--redo persona_0001"] {
        let name = flag.replace("persona_0001", "ID,...");
        let ran = project.run(&format!("{LOOP} {flag}")).exits(2);
        ran.says(&format!("--watch does not go with {name}: ")).says("leave out one of them");
    }
    project.run("run --watch scripts/genrate.rhai").exits(2).says("did you mean `scripts/generate.rhai`?");
    let ran = project.run(&format!("{LOOP} --fresh --json")).exits(2);
    assert_eq!(ran.events().last().unwrap()["event"], "end");
    assert!(server.requests().is_empty());
}

#[test]
fn machines_are_told_of_rounds() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    let watching = Watching::start(&project, &format!("{LOOP} --json -q --redo stale"));
    let ended = |rounds| {
        until("a round", || watching.said().matches("\"round_ended\"").count() == rounds);
    };
    ended(1);
    project.edit(ASSISTANT, "Begin in another way.", "Begin with other words.");
    ended(2);
    assert_eq!(watching.interrupt(), 0);
    let events: Vec<Value> = project.lines("said");
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let of_rounds = |name: &&str| name.starts_with("round_") || ["changed", "end"].contains(name);
    let of_rounds: Vec<&str> = names.iter().copied().filter(|name| of_rounds(name)).collect();
    assert_eq!(of_rounds, ["round_started", "round_ended", "changed", "round_started", "round_ended", "end"]);
    assert_eq!(names.last(), Some(&"end"));
    let find = |name: &str| events.iter().rev().find(|event| event["event"] == name).unwrap();
    assert_eq!(find("changed")["paths"], json!([ASSISTANT]));
    let second = find("round_ended");
    assert_eq!((&second["round"], &second["exit"], &second["replayed"]), (&2.into(), &0.into(), &6.into()));
    assert_eq!(second["backends"][0]["calls"], 4);
    assert_eq!(second["jobs"][0]["prompts"][0]["call"], 4);
    assert_eq!(
        (&second["transcripts"][0]["from_turn"], &second["transcripts"][0]["who"]),
        (&2.into(), &"assistant".into())
    );
    assert_eq!(second["jobs"][1]["verdicts"]["after"], json!({"pass": 2, "of": 2}));
    assert_eq!((&find("end")["rounds"], &find("end")["spent"]["calls"]), (&2.into(), &14.into()));
}

#[test]
fn the_world_of_a_round_goes_with_it() {
    let project = TestProject::of("get_backend(\"assistant\").complete(\"Hello\");");
    let config = Config::parse("c", &project.read("config/fthost.yaml")).unwrap();
    let opened = Project::open(project.root()).unwrap();
    let session = Session::new(World::new(opened, config, Arc::new(Silent), Box::new(|_| None), "test"));
    let unit = session.load("scripts/main.rhai").unwrap();
    session.run(&unit).unwrap();
    session.world.close();
    session.world.let_go();
    let world = Arc::downgrade(&session.world);
    drop((session, unit));
    assert!(world.upgrade().is_none(), "something holds it");
}

#[test]
fn tests_run_again_after_each_edit() {
    let project = TestProject::of("");
    let test = |expected: u8| {
        format!(
            "import \"std/testing\" as testing;\nfn test_sum() {{ testing::assert_eq(1 + 1, {expected}); }}\n"
        )
    };
    project.write("tests/sum_test.rhai", &test(3));
    let watching = Watching::start(&project, "test --watch");
    watching.waits_for("0 passed, 1 failed");
    watching.waits_for("watching scripts/, config/ and tests/");
    project.write("tests/sum_test.rhai", "fn test_sum( {");
    watching.waits_for("1 file does not load");
    project.write("tests/sum_test.rhai", &test(2));
    watching.waits_for("1 passed, 0 failed");
    watching.waits_for("edited tests/sum_test.rhai");
    assert_eq!(watching.interrupt(), 130);
}
