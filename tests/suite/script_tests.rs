//! `fthost test`: tests of scripts, in projects of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fault_server::ModelServer;
use fthost::author::test::{Running, Tests};
use fthost::base::Kind;
use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::host::Session;
use fthost::host::templates::TEMPLATES;
use fthost::store::Project;
use fthost::store::snapshots::Snapshots;
use fthost::work::World;
use fthost::work::testing::Test;
use serde_json::{Value, json};

use crate::support::{Ran, TestProject, live_config, until};

const TESTING: &str = "import \"std/testing\" as testing;\n";

/// The shipped project, with these test files instead of its own.
fn project(files: &[(&str, &str)]) -> TestProject {
    let project = TestProject::shipped();
    for (name, text) in files {
        project.write(&format!("tests/{name}"), &format!("{TESTING}{text}"));
    }
    project
}

/// Runs one test file.
fn tested(text: &str) -> Ran {
    project(&[("a_test.rhai", text)]).run("test")
}

/// What was said, with the times left out.
fn timeless(text: &str) -> String {
    let word =
        |word: &str| if word.parse::<f64>().is_ok() && word.contains('.') { "N" } else { word }.to_string();
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The files that are not the tests' own.
fn untouched(project: &TestProject) -> Vec<(String, Vec<u8>)> {
    let mut files = project.files("");
    files.retain(|(path, _)| !path.starts_with("tests/"));
    files
}

#[test]
fn the_shipped_tests_pass_in_a_new_project() {
    for template in TEMPLATES {
        let project = TestProject::nothing();
        project.run(&format!("init --template {}", template.name)).exits(0);
        let before = project.files("");
        let files = template.files();
        let shipped = files.iter().filter(|(path, _)| path.ends_with("_test.rhai"));
        let count: usize = shipped.map(|(_, text)| text.matches("\nfn test_").count()).sum();
        project.run("test").exits(0).prints(&format!("{count} passed, 0 failed, in "));
        assert!(project.files("") == before, "nothing is written");
    }
}

#[test]
fn the_repository_is_a_project_whose_tests_pass() {
    let root = env!("CARGO_MANIFEST_DIR");
    TestProject::nothing().run_args(&["test", "--project", root]).exits(0);
}

const FAILING: &str = r##"
import "prompts" as prompts;

fn is_third(value) { testing::assert_eq(value, [1, #{a: ["x", "y"]}], "the third") }

fn test_passes() {
    print("of no interest");
    testing::assert(2 > 1);
}

fn test_in_a_helper() {
    print("first");
    log_warn("second");
    is_third([1, #{a: ["x", "z"]}]);
}

fn test_texts() {
    testing::assert_eq("one\ntwo\nthree\nfour\n", "one\n2\nthree\nfour\nfive\n");
}

fn test_lengths() {
    testing::assert_eq([1, 2], [1, 2, 3]);
}

fn test_says_what_should_be() {
    let turns = 3;
    testing::assert(turns > 12, "twelve turns");
}

fn test_of_a_script() {
    prompts::build_user_prompt(#{id: "a", turns: 3}, [], 1);
}

fn test_thrown() {
    throw #{kind: "mine", message: "own words"};
}

fn test_near() {
    testing::assert_near(1, 1.5, 0.1);
}

fn test_contains() {
    testing::assert_contains(["a", "b"], "c");
}

fn test_same() {
    testing::assert_ne(#{a: 1}, #{a: 1.0}, "a change");
}
"##;

#[test]
fn a_failure_is_reported_with_place_values_trace_and_what_was_said() {
    let ran = tested(FAILING).exits(1).prints("1 passed, 9 failed, in ");
    assert!(!ran.err.contains("of no interest"));
    insta::assert_snapshot!("failing", ran.err);
}

const ERRORS: &str = r##"
fn test_caught() {
    let error = testing::assert_error(|| load_yaml("config/none.yaml"), "not_found");
    testing::assert_contains(error.message, "config/none.yaml");
    testing::assert_eq(testing::assert_error(|| throw "a b c", "b").message, "a b c");
    testing::assert_eq(testing::assert_error(|| throw #{kind: "mine"}).kind, "mine");
}

fn test_nothing_is_thrown() {
    testing::assert_error(|| [1, "a"], "not_found");
}

fn test_another_error() {
    testing::assert_error(|| load_yaml("config/none.yaml"), "denied");
}

fn test_no_closure() {
    testing::assert_error(1 + 1, "denied");
}

fn test_a_failed_assertion_is_not_caught() {
    testing::assert_error(|| testing::assert(false, "inside"));
}

fn test_neither_by_a_script() {
    try { testing::assert(false, "swallowed"); } catch { }
}

fn test_neither_by_an_item() {
    let summary = process([#{id: "a"}, #{id: "b"}], #{}, |item| {
        testing::assert_eq(item.id, "a");
        #{}
    });
}

fn test_misspelled() {
    testing::set("trun", 3);
    setting("turns", 12);
}
"##;

#[test]
fn errors_are_caught_by_kind_and_failed_assertions_by_nothing() {
    let ran = tested(ERRORS).exits(1).prints("1 passed, 7 failed, in ");
    insta::assert_snapshot!("errors", ran.err);
}

const STUBS: &str = r##"
import "prompts" as prompts;

const MOOD = #{type: "object", properties: #{mood: #{type: "string"}}, required: ["mood"]};

fn test_replies_in_order_and_what_was_asked() {
    testing::stub("assistant", ["one", #{error: "rate_limit", message: "too fast"}, "two"]);
    let assistant = get_backend("assistant");
    testing::assert_eq(assistant.complete("a", #{system: "be kind", max_tokens: 7}).content, "one");
    testing::assert_eq(testing::assert_error(|| assistant.complete("b"), "rate_limit").message, "too fast");
    testing::assert_eq(assistant.complete([#{role: "user", content: "c"}, #{role: "assistant", content: "d"}, #{role: "user", content: "e"}]).content, "two");

    testing::assert_eq(testing::prompts("assistant"), ["a", "b", "e"]);
    let requests = testing::requests("assistant");
    testing::assert_eq(requests[0], #{
        prompt: "a", system: "be kind", messages: [#{role: "user", content: "a"}],
        params: #{max_tokens: 7, temperature: 0.8}, schema: (),
    });
    testing::assert_eq(requests[2].messages.map(|message| message.role), ["user", "assistant", "user"]);
}

fn test_a_closure_gets_the_request() {
    let calm = "calm";
    testing::stub("judges", |request| {
        testing::assert_eq(request.role, "judges");
        testing::assert_eq(request.schema.required, ["mood"]);
        #{mood: calm + request.prompt}
    });
    let moods = parallel_map(1..=4, |n| get_backends("judges")[0].complete_structured(`${n}`, global::MOOD).mood);
    testing::assert_eq(moods, ["calm1", "calm2", "calm3", "calm4"]);
    testing::assert_eq(testing::prompts("judges"), ["1", "2", "3", "4"]);
}

fn test_a_reply_that_does_not_fit_is_asked_for_again() {
    testing::stub("judges", ["no json", `{"mood": "fine"}`, #{wrong: 1}, #{wrong: 2}]);
    let judge = get_backend("judges");
    testing::assert_eq(judge.complete_structured("how?", global::MOOD).mood, "fine");
    testing::assert_error(|| judge.complete_structured("how?", global::MOOD), "schema_mismatch");
    testing::assert_eq(testing::requests("judges").len(), 4);
}

fn test_outcomes() {
    testing::stub("assistant", [#{content: "half a", outcome: "truncated"}, #{error: "refusal"}]);
    testing::assert_eq(testing::assert_error(|| get_backend("assistant").complete("x"), "truncated").kind, "truncated");
    testing::assert_error(|| get_backend("assistant").complete("x"), "refusal");
}

fn test_roles_and_backends() {
    testing::stub("judges", [|request| "a", |request| "b"]);
    testing::assert_eq(get_backends("judges").map(|judge| judge.name + judge.complete("x").content), ["judges-1a", "judges-2b"]);
    testing::stub("offline", ["of the backend", "again"]);
    testing::assert_eq(get_backend("user_sim").complete("x").content, "of the backend");
    testing::assert_eq(get_backend("offline").complete("x").content, "again");
}

fn test_items_are_worked_on_in_order() {
    testing::stub("assistant", ["0", "1", "2", "3", "4", "5", "6", "7"]);
    process(0..8, #{checkpoint: "data/c.jsonl", concurrency: 8}, |item| {
        #{said: get_backend("assistant").complete(item.id).content}
    });
    let records = load_checkpoint_results("data/c.jsonl");
    for n in 0..8 { testing::assert_eq(records[`${n}`].said, `${n}`); }
}
"##;

#[test]
fn stubs_answer_and_keep_what_they_were_asked() {
    tested(STUBS).exits(0).prints("6 passed, 0 failed, in ");
}

#[test]
fn a_stub_says_what_is_wrong_with_it() {
    let ran = tested(
        r##"
        fn test_no_settings() { testing::run_script("scripts/generate.rhai", [2]); }
        fn test_asks_itself() { testing::stub("assistant", |r| get_backend("assistant").complete(r.prompt)); get_backend("assistant").complete("x"); }
        fn test_used_up() { testing::stub("assistant", ["a", "b"]); for n in 0..3 { get_backend("assistant").complete(`${n}`); } }
        fn test_used_up_in_items() {
            testing::stub("assistant", ["a"]);
            process(0..3, #{}, |item| #{said: get_backend("assistant").complete(item.id).content});
        }
        fn test_misspelled() { testing::stub("asistant", ["a"]); }
        fn test_no_replies() { testing::stub("assistant", 7); }
        fn test_no_kind() { testing::stub("assistant", [#{error: "rate_limits"}]); get_backend("assistant").complete("x"); }
        fn test_not_stubbed() { testing::stub("judges", []); testing::prompts("judge"); }
        fn test_one_backend() { testing::stub("offline", [|r| "a", |r| "b"]); }
        "##,
    );
    insta::assert_snapshot!("stubs", ran.exits(1).err);
}

#[test]
fn a_script_runs_within_a_test() {
    tested(
        r##"
        fn test_run() {
            let printed = testing::run_script("scripts/generate.rhai", #{personas: 2, turns: 3});
            testing::assert_contains(printed, "2 of 2 complete");
            testing::assert_eq(read_transcript("persona_0002").exchanges.len(), 3);
            testing::assert_contains(testing::run_script("scripts/generate.rhai"), "nothing to do");
            testing::assert_contains(testing::run_script("scripts/assess.rhai"), "2 of 2 judged");
        }
        fn test_nothing_of_it_is_left() { testing::assert(list_files("data/**/*").is_empty()); }
        "##,
    )
    .exits(0);
    let project = project(&[("a_test.rhai", "fn test_a() { testing::run_script(\"scripts/own.rhai\"); }")]);
    project.write("scripts/own.rhai", "print(\"so far\");\nfn half(n) { n / (n - n) }\nhalf(3);");
    let ran = project.run("test").exits(1).says("called at tests/a_test.rhai:2:24");
    insta::assert_snapshot!("within", ran.err);
    project.write("scripts/own.rhai", &format!("{TESTING}testing::run_script(\"scripts/own.rhai\");"));
    project.run("test").exits(1).says("`run_script` is for tests themselves");
    project.write("scripts/own.rhai", "print(count_token(\"a\"));");
    project.run("test").exits(2).says("unknown function `count_token`").prints("1 file does not load");
}

#[test]
fn tests_see_neither_each_other_nor_the_projects_data() {
    let file = r##"
        fn both(own) {
            testing::assert(list_files("data/**/*").is_empty(), "data/ begins empty");
            testing::assert_error(|| read_text("data/raw/theirs.txt"), "not_found");
            testing::assert_eq(load_checkpoint("data/raw/checkpoint.jsonl").len, 0);
            write_text("data/raw/theirs.txt", own);
            append_checkpoint("data/raw/checkpoint.jsonl", #{id: own});
            sleep(0.05);
            testing::assert_eq(read_text("data/raw/theirs.txt"), own);
            testing::assert_eq(load_checkpoint("data/raw/checkpoint.jsonl").ids, [own]);
            testing::assert_eq(list_files("data/**/*.txt"), ["data/raw/theirs.txt"]);
        }
        fn test_a() { both("a"); testing::set("x", 1); testing::stub("assistant", ["a"]); setting("x", 0); }
        fn test_b() { both("b"); testing::assert_eq(setting("x", 0), 0); testing::assert_error(|| testing::prompts("assistant"), "not_found"); }
        fn test_fixture() { testing::assert_eq(read_json("tests/fixtures/a.json").n, 7); }
        fn test_writes_outside() { testing::assert_error(|| write_text("config/x.yaml", "x"), "denied"); }
        fn test_time() { testing::assert_eq([now_utc(), now_utc()], ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z"]); }
    "##;
    let project = project(&[("a_test.rhai", file)]);
    project.write("tests/fixtures/a.json", "{\"n\": 7}");
    project.write("data/raw/theirs.txt", "theirs");
    project.write("data/raw/checkpoint.jsonl", "{\"id\":\"theirs\"}\n");
    let before = untouched(&project);
    project.run("test").exits(0).prints("5 passed");
    assert!(untouched(&project) == before, "the project is as it was");
}

#[test]
fn nothing_is_sent_and_no_key_is_read() {
    let server = ModelServer::start();
    let project = project(&[(
        "a_test.rhai",
        r##"
        fn test_got() { get_backend("assistant"); }
        fn test_in_items() { process(0..3, #{}, |item| #{said: get_backend("live").complete("x").content}); }
        fn test_caught() { try { get_backend("live"); } catch { } }
        fn test_of_a_kind() { get_backend("openai", #{model: "m"}); }
        fn test_in_a_script() { testing::run_script("scripts/generate.rhai", #{personas: 2}); }
        fn test_stubbed() {
            testing::stub("live", ["a", "b"]);
            testing::assert_eq(get_backend("assistant").complete("x").content, "a");
            testing::assert_eq(get_backends("judges")[0].complete("x").content, "b");
        }
        "##,
    )]);
    project.write("config/fthost.yaml", &live_config("openai-chat", &server.url(), "api_key_env: MY_KEY"));
    // A file that cannot be read as what it should be: who reads it says so.
    project.write(".env", "MY_KEY='never ends");
    let ran = project.run("test").exits(1).prints("1 passed, 5 failed");
    assert!(server.requests().is_empty());
    insta::assert_snapshot!("offline", ran.err);
}

#[test]
fn snapshots_are_written_on_demand_and_held_from_then_on() {
    let file = "fn test_a() { testing::assert_snapshot(\"text\", read_text(\"config/prompts/system.md\")); }
        fn test_b() { testing::assert_snapshot(\"value\", #{b: [1, 2.5], a: \"x\"}); }";
    let project = project(&[("sub/a_test.rhai", file)]);
    project
        .run("test")
        .exits(1)
        .says("there is no snapshot tests/snapshots/sub/a_test/text.snap")
        .says("--update");
    assert!(!project.exists("tests/snapshots"));
    project.run("test --update").exits(0);
    let written = project.read("tests/snapshots/sub/a_test/text.snap");
    assert_eq!(written, format!("{}\n", project.read("config/prompts/system.md")));
    let value: Value = project.json("tests/snapshots/sub/a_test/value.snap");
    assert_eq!(value, json!({"a": "x", "b": [1, 2.5]}));
    project.run("test").exits(0);

    project.edit("config/prompts/system.md", "Write like a person", "Write like somebody");
    let ran = project.run("test").exits(1).says("- - Write like a person").says("+ - Write like somebody");
    insta::assert_snapshot!("snapshot", ran.err);
    project.run("test --update test_a").exits(0);
    project.run("test").exits(0);

    project.write("tests/snapshots/sub/a_test/old.snap", "x\n");
    project.run("test").exits(0).says("warning: no test asks for tests/snapshots/sub/a_test/old.snap");
    assert_eq!(project.run("test test_a").exits(0).err, "");
    project.write("tests/sub/a_test.rhai", &format!("{TESTING}{file}\nfn test_c() {{ throw \"x\"; }}"));
    assert!(!project.run("test").exits(1).err.contains("old.snap"), "it may not have come to it");
}

#[test]
fn a_filter_is_a_part_of_file_and_name() {
    let text = "fn test_one() { } fn test_two() { }\nfn test_three() { }";
    let project = project(&[("a_test.rhai", text), ("b_test.rhai", text), ("c_test.rhai", "fn test_one( {")]);
    project.run("test a_test.rhai::test_t").exits(0).prints("2 passed");
    project.run("test three").exits(0).prints("2 passed");
    project.run("test b_test").exits(0).prints("3 passed");
    project.run("test test_one").exits(2).prints("2 passed, 0 failed, 1 file does not load");
    project
        .run("test test_thre_")
        .exits(2)
        .says("no test matches `test_thre_`")
        .says("did you mean `test_three`?");
    project.run("test zzz").exits(2).says("no test matches `zzz`");
    let nothing = TestProject::of("1;").run("test").exits(2).says("there are no tests");
    assert!(nothing.err.contains("tests/..._test.rhai"), "{}", nothing.err);
}

#[test]
fn machines_are_told_of_each_test_and_of_the_end() {
    let text =
        "fn test_a() { print(\"unseen\"); }\n\nfn test_b() {\n    print(\"seen\");\n    throw \"no\";\n}";
    let project = project(&[("a_test.rhai", text), ("b_test.rhai", "fn test_a( {")]);
    let mut events = project.run("test --json").exits(2).events();
    for event in &mut events {
        if let Some(seconds) = event.get_mut("seconds") {
            assert!(seconds.as_f64().is_some_and(|seconds| seconds > 0.0));
            *seconds = 0.into();
        }
    }
    assert_eq!((&events[0]["event"], &events[0]["file"]), (&json!("error"), &json!("tests/b_test.rhai")));
    let passed = json!({"event": "test", "name": "test_a", "file": "tests/a_test.rhai", "line": 2, "outcome": "passed",
        "seconds": 0, "error": null, "output": null});
    assert_eq!(events[1], passed);
    let error = json!({"kind": "script", "message": "no", "file": "tests/a_test.rhai", "line": 6, "column": 5, "hint": null});
    let failed = json!({"event": "test", "name": "test_b", "file": "tests/a_test.rhai", "line": 4, "outcome": "failed",
        "seconds": 0, "error": error, "output": ["seen"]});
    assert_eq!(events[2], failed);
    let summary = json!({"event": "summary", "passed": 1, "failed": 1, "not_loaded": ["tests/b_test.rhai"], "seconds": 0});
    assert_eq!(events[3..], [summary]);
}

#[test]
fn a_file_with_a_mistake_is_told_and_the_others_run() {
    let project = project(&[
        ("a_test.rhai", "fn test_a() { }"),
        ("b_test.rhai", "fn test_b() { asert(1); testing::asert(1); testing::assert_eq(1); }"),
        ("c_test.rhai", "fn test_c(n) { }"),
        ("d_test.rhai", "fn test_d() { }\nfn test_d() { }"),
        ("e_test.rhai", "import \"nothing\" as nothing;\nfn test_e() { }"),
        ("f_test.rhai", "import \"own\" as own;\nfn test_f() { }"),
        ("g_test.rhai", "fn tset_g() { }"),
        ("h_test.rhai", "fn test_h() {"),
        ("no_tests.rhai", "fn test_x() { throw \"it is not called ..._test.rhai\"; }"),
    ]);
    project.write("scripts/own.rhai", "fn f() { lenght(\"a\") }");
    let ran = project.run("test").exits(2).prints("1 passed, 0 failed, 7 files do not load, in ");
    insta::assert_snapshot!("mistakes", ran.err);
}

#[test]
fn a_test_that_does_not_end_fails_alone() {
    let text = "fn test_a() { }\nfn test_loop() { loop { } }\nfn test_sleep() { sleep(1000); }\n
        fn test_caught() { loop { try { sleep(1000); } catch { } } }\nfn test_z() { }";
    let project = project(&[("a_test.rhai", text)]);
    project.edit("config/fthost.yaml", "operations: 50000000", "operations: 100000000000");
    let ran = project.run("test --timeout 1").exits(1).prints("2 passed, 3 failed");
    for name in ["loop", "sleep", "caught"] {
        assert!(
            ran.err.contains(&format!(
                "FAILED tests/a_test.rhai::test_{name}\nerror: the test took longer than 1 s"
            )),
            "{}",
            ran.err
        );
    }
    project.edit("config/fthost.yaml", "operations: 100000000000", "operations: 100000");
    project.run("test loop").exits(1).says("more operations than allowed");
}

#[test]
fn a_panic_fails_one_test() {
    let project =
        project(&[("a_test.rhai", "fn test_a() { }\nfn test_panic() { now_utc(); }\nfn test_z() { }")]);
    let (tests, scratch) = (Tests::open(project.root()).unwrap(), tempfile::tempdir().unwrap());
    let how = Running {
        scratch: scratch.path(),
        update: false,
        time: Duration::from_secs(60),
        width: 2,
        now: || panic!("the clock is broken"),
    };
    let mut ended = Vec::new();
    let found = tests.find(None).unwrap();
    tests.run(&found, &how, |ran| ended.push((ran.case.name.clone(), ran.result.clone().err()))).unwrap();
    let kinds: Vec<_> =
        ended.iter().map(|(name, error)| (&**name, error.as_ref().map(|e| e.kind()))).collect();
    assert_eq!(kinds, [("test_a", None), ("test_panic", Some(Kind::Internal)), ("test_z", None)]);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left behind");
    // Again and again, from nothing: as `--watch` does.
    assert_eq!(tests.find(None).unwrap().cases.len(), 3);
}

/// The project opened in this process, as for a test.
fn session(project: &TestProject) -> Session {
    let config = Config::parse("c", &project.read("config/fthost.yaml")).unwrap();
    let opened = Project::open(project.root()).unwrap();
    let mut world = World::new(opened, config, Arc::new(Silent), Box::new(|_| None), "test");
    let snapshots = Arc::new(Snapshots::of(project.root(), false));
    world.test = Some(Test::new("tests/a_test.rhai", snapshots, Arc::default()));
    Session::new(world)
}

#[test]
fn a_world_that_is_let_go_is_gone() {
    let project = project(&[]);
    let session = session(&project);
    let text = format!(
        "{TESTING}testing::stub(\"assistant\", |request| \"x\"); \
         get_backend(\"assistant\").complete(get_backend(\"user_sim\").complete(\"a\").content).content"
    );
    let unit = session.load_expression(&text).unwrap();
    assert_eq!(session.eval(&unit).unwrap().to_string(), "x");
    let world = Arc::downgrade(&session.world);
    session.world.let_go();
    drop((unit, session));
    assert!(world.upgrade().is_none(), "tests that follow each other would fill the memory");
}

#[test]
fn tests_are_told_in_their_order() {
    let text = "fn test_slow() { sleep(0.2); }\nfn test_c() { throw \"x\"; }\nfn test_b() { }\nfn test_a() { sleep(0.05); }";
    let project = project(&[("b_test.rhai", text), ("a_test.rhai", text)]);
    let said = || timeless(&project.run("test -v").exits(1).err);
    let first = said();
    let names: Vec<&str> =
        first.lines().filter_map(|line| line.split_once("_test.rhai::").map(|(_, name)| name)).collect();
    let order = ["test_slow in N s", "test_c", "test_b in N s", "test_a in N s"];
    assert_eq!(names, [order, order].concat());
    for _ in 0..3 {
        assert_eq!(said(), first);
    }
}

#[test]
fn the_module_is_for_tests_only() {
    let project = project(&[("a_test.rhai", "fn test_a() { }")]);
    project.write("scripts/main.rhai", &format!("{TESTING}testing::assert(true);"));
    project
        .main("")
        .exits(2)
        .says("std/testing is for tests only")
        .says("scripts/main.rhai:1:8")
        .says("nothing was run");
    project.write("scripts/main.rhai", "import \"helper\" as helper;");
    project.write("scripts/helper.rhai", TESTING);
    project.main("").exits(2).says("scripts/helper.rhai:1:8");
    project.run("run tests/a_test.rhai").exits(2).says("std/testing is for tests only");
    project.run("check tests/a_test.rhai").exits(0);
    let eval = ["eval", "import \"std/testing\" as testing; testing::assert(true)"];
    project.run_args(&eval).exits(2).says("std/testing is for tests only");
    project
        .run_args(&["eval", "import \"std/testin\" as testing; 1"])
        .exits(2)
        .says("did you mean `std/testing`?");
}

#[test]
fn check_reads_tests_too() {
    let project = project(&[
        ("sub/a_test.rhai", "fn test_a() { testing::assert_equal(1, 1); }"),
        ("b.rhai", "fn f() { lenght(1) }"),
    ]);
    let ran = project.run("check").exits(2).says("std/testing has no function `assert_equal`");
    ran.says("did you mean `assert_eq`?").says("unknown function `lenght`");
    project
        .write("tests/sub/a_test.rhai", &format!("{TESTING}fn test_a() {{ testing::assert_near(1, 2); }}"));
    project.write("tests/b.rhai", "");
    project
        .run("check")
        .exits(2)
        .says("`assert_near` cannot be called with 2 arguments")
        .says("it is assert_near(");
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let own = format!("x{}", std::process::id());
    let text = format!("fn test_a() {{ write_text(\"data/{own}\", \"x\"); sleep(60); }}");
    let project = project(&[("a_test.rhai", &text)]);
    let running = project.start("test");
    let mut dir = None;
    until("its directory", || {
        dir = scratches().find(|dir| holds(dir, &own));
        dir.is_some()
    });
    running.signal("INT");
    running.wait().exits(130).says("interrupted");
    assert!(!dir.unwrap().exists());
}

/// The directories that tests of this machine write to.
fn scratches() -> impl Iterator<Item = PathBuf> {
    let places = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
    let entries = places.into_iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("fthost-test-"))
        .map(|entry| entry.path())
}

fn holds(scratch: &Path, name: &str) -> bool {
    let tests = std::fs::read_dir(scratch).into_iter().flatten().flatten();
    tests.into_iter().any(|test| test.path().join("data").join(name).exists())
}
