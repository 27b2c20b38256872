//! `process` and `parallel_map` in scripts of their own: failures, resuming, what must come before any
//! call, copies of captures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::base::{Error, Kind};
use fthost::store::Project;
use fthost::work::process::{self, Item, Items, Job, Unread};
use fthost::work::{Scope, World};
use serde_json::{Value, json};

use crate::support::{TestProject, live_config};
use fault_server::{Answer, ModelServer};

/// Three items into a checkpoint; `WORK` is what is done with `item`.
pub const THREE: &str = r#"
    let items = [#{id: "a"}, #{id: "b"}, #{id: "c"}];
    process(items, #{checkpoint: "data/c.jsonl"}, |item| { WORK });
"#;

/// Twenty items that each ask the model once.
pub const TWENTY: &str = r#"
    let model = get_backend("assistant");
    let items = [];
    for i in 0..20 { items.push(#{id: `item_${i}`}); }
    process(items, #{checkpoint: "data/c.jsonl", concurrency: 2}, |item| #{said: model.complete(item.id).content});
"#;

pub fn three(work: &str) -> String {
    THREE.replace("WORK", work)
}

/// What a script printed as JSON in its last line.
#[track_caller]
fn printed(script: &str) -> Value {
    let ran = TestProject::of(script).main("--json").exits(0);
    let prints: Vec<Value> = ran.events().into_iter().filter(|e| e["event"] == "print").collect();
    let last = prints.last().expect("a print");
    serde_json::from_str(last["text"].as_str().unwrap()).unwrap()
}

// Failures

#[test]
fn a_failed_item_is_kept_apart_and_tried_again() {
    let project = TestProject::of(&three(
        "if item.id == \"b\" && !(\"calm.txt\" in list_files(\"*.txt\")) { throw \"it broke\" }\n #{ok: true}",
    ));
    project.main("").exits(1).says("it broke").says("b");
    assert_eq!(project.ids("data/c.jsonl"), ["a", "c"]);
    let failed = &project.lines("data/c.failed.jsonl")[0];
    assert_eq!(
        (&failed["id"], &failed["kind"], &failed["attempts"]),
        (&json!("b"), &json!("script"), &json!(1))
    );
    assert!(failed["message"].as_str().unwrap().contains("it broke"), "{failed}");
    assert!(failed["place"].as_str().unwrap().starts_with("scripts/main.rhai:3:"), "{failed}");
    project.main("").exits(1);
    assert_eq!(project.lines("data/c.failed.jsonl").len(), 1);
    assert_eq!(project.lines("data/c.failed.jsonl")[0]["attempts"], 2);
    project.write("calm.txt", "");
    project.main("").exits(0);
    assert_eq!(project.ids("data/c.jsonl"), ["a", "b", "c"]);
    assert!(!project.exists("data/c.failed.jsonl"));
}

#[test]
fn an_item_that_fails_when_redone_is_tried_again() {
    let project = TestProject::of(&three(
        "if item.id == \"b\" && \"storm.txt\" in list_files(\"*.txt\") { throw \"it broke\" }\n #{ok: true}",
    ));
    project.main("").exits(0);
    project.write("storm.txt", "");
    project.main("--redo b").exits(1);
    project.main("").exits(1).says("it broke");
    assert_eq!(project.lines("data/c.failed.jsonl")[0]["attempts"], 2);
    std::fs::remove_file(project.path("storm.txt")).unwrap();
    project.main("").exits(0);
    assert_eq!(project.lines("data/c.jsonl").len(), 4);
    assert!(!project.exists("data/c.failed.jsonl"));
    project.main("").exits(0);
    assert_eq!(project.lines("data/c.jsonl").len(), 4);
}

#[test]
fn process_nests() {
    let project = TestProject::of(&three(
        "let parts = [#{id: item.id + 1}, #{id: item.id + 2}];
         let inner = process(parts, #{checkpoint: `data/${item.id}.jsonl`}, |part| {
             if part.id == \"b2\" { throw \"it broke\" } #{} });
         #{done: inner.completed}",
    ));
    project.main("--limit 2 --concurrency 1").exits(1).says("it broke").says("b2");
    assert_eq!(project.ids("data/c.jsonl"), ["a", "b"]);
    assert_eq!(project.lines("data/c.jsonl")[0]["done"], 2);
    assert_eq!(project.ids("data/a.jsonl"), ["a1", "a2"]);
    assert_eq!(project.ids("data/b.jsonl"), ["b1"]);
    assert_eq!(project.ids("data/b.failed.jsonl"), ["b2"]);
}

#[test]
fn two_jobs_at_once_do_not_share_a_checkpoint() {
    let script = r#"
        let items = []; for i in 0..20 { items.push(#{id: `i${i}`}); }
        parallel_map([1, 2], |n| process(items, #{checkpoint: "data/c.jsonl", concurrency: 1}, |item| { sleep(0.01); #{} }));
    "#;
    let project = TestProject::of(script);
    project.main("").exits(2).says("another `process` of this run works on data/c.jsonl");
    assert_eq!(project.lines("data/c.jsonl").len(), 20, "one of them did the work, once");
}

#[test]
fn a_version_asks_no_model() {
    let script = r#"
        let model = get_backend("offline");
        process([#{id: "a"}], #{version: |item| model.complete("x").content}, |item| #{});
    "#;
    TestProject::of(script)
        .main("")
        .exits(2)
        .says("`version` may not ask a model")
        .says("scripts/main.rhai:3");
}

#[test]
fn the_first_items_failing_alike_stop_the_run() {
    let script = TWENTY.replace("#{said: model.complete(item.id).content}", "throw \"always\"");
    let project = TestProject::of(&script);
    project.main("--concurrency 1").exits(4).says("always");
    assert_eq!(project.lines("data/c.failed.jsonl").len(), 5);
    let script =
        script.replace("throw \"always\"", "if item.id == \"item_0\" { #{} } else { throw \"often\" }");
    let project = TestProject::of(&script);
    project.main("--concurrency 1").exits(1);
    assert_eq!(project.lines("data/c.failed.jsonl").len(), 19);
}

#[test]
fn fail_fast_stops_at_the_first() {
    let project = TestProject::of(&three("if item.id == \"b\" { throw \"no\" } #{}"));
    project.main("--fail-fast --concurrency 1").exits(1);
    assert_eq!(project.ids("data/c.jsonl"), ["a"]);
    assert_eq!(project.ids("data/c.failed.jsonl"), ["b"]);
}

#[test]
fn an_incomplete_record_is_kept_and_done_again() {
    let project = TestProject::of(&three("#{complete: item.id != \"b\"}"));
    project.main("").exits(0);
    let before = project.lines("data/c.jsonl").len();
    let ran = project.main("--json").exits(0);
    let summary = ran.events().into_iter().find(|e| e["event"] == "process").unwrap()["summary"].clone();
    assert_eq!([&summary["skipped"], &summary["incomplete"], &summary["completed"]], [2, 1, 0]);
    assert_eq!(project.lines("data/c.jsonl").len(), before + 1);
}

#[test]
fn an_endless_item_fails_alone() {
    let project = TestProject::of(&three("if item.id == \"b\" { loop {} } #{}"));
    let config = project.read("config/fthost.yaml");
    project.write("config/fthost.yaml", &config.replace("operations: 50000000", "operations: 20000"));
    project.main("").exits(1);
    assert_eq!(project.ids("data/c.jsonl"), ["a", "c"]);
    let failed = &project.lines("data/c.failed.jsonl")[0];
    assert_eq!((&failed["id"], &failed["kind"]), (&json!("b"), &json!("limit")));
}

// Before any call

#[test]
fn mistakes_that_concern_all_items_are_told_before_any_call() {
    let ask = "model.complete(item.id).content";
    let mistakes = [
        ("[#{id: \"a\"}, #{id: \"b\"}, #{id: \"a\"}]", "", "`a`"),
        ("[#{id: \"a\"}, #{name: \"b\"}]", "", "no `id`"),
        ("[#{id: \"a\"}, #{id: 7}]", "", "not a string"),
        ("[#{id: \"a\"}, \"b\"]", "", "not a map"),
        ("[#{id: \"a\"}]", "random.random();", "random generator"),
    ];
    for (items, more, words) in mistakes {
        let server = ModelServer::start();
        let script = format!(
            "let model = get_backend(\"assistant\");\nlet random = [rng(\"x\")][0];\n\
             let items = {items};\nprocess(items, #{{checkpoint: \"data/c.jsonl\"}}, |item| {{ {more} #{{said: {ask}}} }});"
        );
        let project = TestProject::live(&server, &script);
        project.main("").exits(2).says(words).says("scripts/main.rhai");
        assert_eq!(server.requests().len(), 0, "{words}");
        assert!(project.lines("data/c.jsonl").is_empty());
    }
}

#[test]
fn a_result_that_is_no_record_ends_the_job() {
    for (work, words) in [
        ("#{id: \"oth\" + \"er\"}", "other"),
        ("parse_json(\"42\")", "42"),
        ("parse_json(\"null\")", "no record"),
    ] {
        let project = TestProject::of(&three(work));
        project.main("--concurrency 1").exits(2).says(words).says("scripts/main.rhai:3:5");
        assert!(project.lines("data/c.jsonl").is_empty());
    }
}

#[test]
fn unknown_options_are_mistakes() {
    let script = three("#{}").replace("checkpoint:", "chekpoint:");
    TestProject::of(&script).main("").exits(2).says("chekpoint").says("checkpoint");
}

#[test]
fn a_role_that_is_not_there_is_told_before_any_call() {
    let server = ModelServer::start();
    let script = format!("{TWENTY}\nget_backend(\"critic\");").replace("\"assistant\"", "\"asistant\"");
    TestProject::live(&server, &script).main("").exits(2).says("asistant").says("assistant");
    assert!(server.requests().is_empty());
}

// Many at a time

#[test]
fn so_many_items_run_at_a_time_as_asked_for() {
    for (words, most) in [("", 2), ("--concurrency 7", 7)] {
        let server = ModelServer::start();
        server.set_latency(Duration::from_millis(60));
        TestProject::live(&server, TWENTY).main(words).exits(0);
        assert_eq!(server.peak(), most);
    }
}

// Versions

#[test]
fn a_version_may_depend_on_the_item() {
    let script = |c: &str| {
        format!(
            "process([#{{id: \"a\"}}, #{{id: \"b\"}}], #{{checkpoint: \"data/c.jsonl\", version: |item| read_text(`${{item.id}}.txt`)}}, |item| #{{}});{c}"
        )
    };
    let project = TestProject::of(&script(""));
    project.write("a.txt", "1");
    project.write("b.txt", "1");
    project.main("").exits(0);
    project.write("a.txt", "2");
    let ran = project.main("--json").exits(0);
    let summary = ran.events().into_iter().find(|e| e["event"] == "process").unwrap()["summary"].clone();
    assert_eq!((&summary["stale"], &summary["skipped"]), (&json!(1), &json!(1)));
    assert_eq!(summary["stale_because"], json!({"version": 1}));
    project.main("--redo stale").exits(0);
    assert_eq!(project.lines("data/c.jsonl").len(), 3);
}

#[test]
fn a_backend_got_inside_of_an_item_is_no_part_of_later_versions() {
    let script = r#"
        for name in ["one", "two"] {
            process([#{id: "a"}], #{checkpoint: `data/${name}.jsonl`}, |item| {
                #{said: get_backend("assistant").complete("Hello").content}
            });
        }
    "#;
    let project = TestProject::of(script);
    project.main("").exits(0);
    let ran = project.main("--json").exits(0);
    let ends: Vec<Value> = ran.events().into_iter().filter(|e| e["event"] == "process").collect();
    assert!(ends.len() == 2 && ends.iter().all(|end| end["summary"]["skipped"] == 1), "{ends:?}");
}

// Captures and nesting

#[test]
fn captures_are_copies() {
    let script = r#"
        let seen = ["start"];
        let map = #{n: 0};
        let lengths = parallel_map([1, 2, 3, 4], |n| { seen.push(n); map.n += n; [seen.len(), map.n] });
        print(to_json([lengths, seen, map.n]));
    "#;
    assert_eq!(printed(&json_printing(script)), json!([[[2, 1], [2, 2], [2, 3], [2, 4]], ["start"], 0]));
}

#[test]
fn a_worker_does_not_change_the_items_of_its_caller() {
    let script = r#"
        let items = [#{id: "a", n: 1}, #{id: "b", n: 2}];
        process(items, #{checkpoint: "data/c.jsonl"}, |item| { item.n += 10; items.push(1); #{n: item.n, all: items.len()} });
        let results = load_checkpoint_results("data/c.jsonl");
        print(to_json([results.a.n, results.b.n, results.a.all, items.len(), items[0].n]));
    "#;
    assert_eq!(printed(&json_printing(script)), json!([11, 12, 3, 2, 1]));
}

/// `to_json` of maps is Rhai's own; of arrays this prints it as one, too.
fn json_printing(script: &str) -> String {
    script.replace("print(to_json([", "print(([").replace("]));", "]).to_string());")
}

#[test]
fn parallel_map_nests_and_keeps_the_order() {
    let script = r#"
        process([#{id: "a"}, #{id: "b"}], #{checkpoint: "data/c.jsonl"}, |item| {
            #{rows: parallel_map([1, 2, 3], |n| parallel_map([10, 20], |m| `${item.id}${n * m}`))}
        });
        print(load_checkpoint_results("data/c.jsonl").b.to_json());
    "#;
    assert_eq!(printed(script)["rows"], json!([["b10", "b20"], ["b20", "b40"], ["b30", "b60"]]));
}

#[test]
fn parallel_map_throws_the_first_error_after_all_have_ended() {
    let script = r#"
        let caught = "";
        try {
            parallel_map([0, 1, 2, 3], |n| {
                append_checkpoint("data/seen.jsonl", #{id: `n${n}`});
                if n == 1 || n == 3 { throw `error ${n}` }
            });
        } catch (e) { caught = `${e}`; }
        print([load_checkpoint("data/seen.jsonl").len, caught].to_string());
    "#;
    let printed = printed(script);
    assert_eq!(printed[0], 4);
    assert!(printed[1].as_str().unwrap().contains("error 1"), "{printed}");
}

#[test]
fn closures_see_imports_and_constants() {
    let project = TestProject::of(
        r#"
        import "helper" as helper;
        const LIMIT = 7;
        fn own(n) { n + global::LIMIT }
        let made = helper::adder(100);
        print(parallel_map([1, 2], |n| [own(n), helper::twice(n), made.call(n), helper::LIMIT]));
        "#,
    );
    project.write(
        "scripts/helper.rhai",
        "export const LIMIT = 3;\nfn twice(n) { inner(n) * 2 }\nfn inner(n) { n }\nfn adder(by) { |n| n + by }",
    );
    project.main("").exits(0).prints("[[8, 2, 101, 3], [9, 4, 102, 3]]");
}

// Errors that scripts may and may not catch

#[test]
fn a_script_catches_a_refusal_by_its_kind() {
    let server = ModelServer::start();
    server.push_reply(Answer::Refusal("I will not".into()));
    let script =
        "try { get_backend(\"assistant\").complete(\"x\"); } catch (e) { print(`${e.kind}: ${e.raw}`); }";
    TestProject::live(&server, script).main("").exits(0).prints("refusal: I will not");
}

#[test]
fn a_dead_backend_is_not_caught() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::error(401, "bad key", "invalid_api_key"));
    let script = three("try { get_backend(\"assistant\").complete(\"x\"); } catch { print(\"caught\") } #{}");
    let project = TestProject::live(&server, &script);
    let ran = project.main("--concurrency 1").exits(4);
    assert!(!ran.out.contains("caught"));
    assert_eq!(server.requests().len(), 1, "no further call");
    assert!(project.lines("data/c.jsonl").is_empty() && project.lines("data/c.failed.jsonl").is_empty());
}

// Backends that are scripts

const STUB: &str = "backends:\n  stub: {kind: script, file: scripts/stub.rhai}\nroles: {assistant: stub}\n";

#[test]
fn a_script_can_be_a_backend() {
    let main = r#"
        let model = get_backend("assistant");
        print(model.complete("hi", #{system: "s", max_tokens: 3}).content);
        print(model.complete_structured("x", #{type: "object", properties: #{a: #{type: "string"}}, required: ["a"]}).a);
    "#;
    let project = TestProject::of_config(main, STUB);
    project.write(
        "scripts/stub.rhai",
        "fn complete(request) { `${request.role}/${request.system}/${request.messages[0].content}` }\n\
         fn complete_structured(request, schema) { #{a: schema.required[0] + \"!\"} }",
    );
    project.main("").exits(0).prints("assistant/s/hi\na!\n");
}

#[test]
fn a_backend_that_is_a_script_may_not_use_another() {
    let project = TestProject::of_config("get_backend(\"assistant\").complete(\"x\");", STUB);
    project.write(
        "scripts/stub.rhai",
        "fn complete(request) { get_backend(\"assistant\").complete(\"y\", #{}).content }",
    );
    project.main("").exits(2).says("another script backend").says("scripts/stub.rhai:1");
    project.edit("scripts/stub.rhai", ", #{}", "");
    let ran = project.main("").exits(2).says("this calls the file's own `complete`, not the backend's");
    ran.says("scripts/stub.rhai:1:49").says(".complete(..., #{})");
    project.write("scripts/stub.rhai", "fn answer(request) { \"\" }");
    project.main("").exits(2).says("scripts/stub.rhai").says("complete");
}

// What changes, and what is too large

#[test]
fn items_that_change_between_the_passes_are_not_mistaken_for_each_other() {
    let script = r#"
        write_text("data/in.jsonl", "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n");
        let version = |item| { if item.id == "c" { write_text("data/in.jsonl", NOW); } 1 };
        process(stream_jsonl("data/in.jsonl"), #{checkpoint: "data/c.jsonl", version: version}, |item| #{});
    "#;
    let shifted = r#""{\"id\":\"new\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n""#;
    let project = TestProject::of(&script.replace("NOW", shifted));
    project.main("").exits(1).says("the items changed");
    assert_eq!(project.ids("data/c.jsonl"), ["b", "c"]);
    assert_eq!(project.ids("data/c.failed.jsonl"), ["new"]);
    let shorter = r#""{\"id\":\"a\"}\n""#;
    let project = TestProject::of(&script.replace("NOW", shorter));
    project.main("").exits(2).says("the items changed");
    assert_eq!(project.ids("data/c.jsonl"), ["a"]);
}

#[test]
fn the_largest_numbers_of_a_configuration_hold() {
    let server = ModelServer::start();
    let numbers = "api_key_env: null, concurrency: 18446744073709551615, max_wait: 1e300, \
                   timeouts: {connect: 1e300, first_byte: 1e300, idle: 1e300, total: 1e300}";
    let config = live_config("openai-chat", &server.url(), numbers);
    let config = format!("{config}limits: {{item_minutes: 18446744073709551615}}\n");
    TestProject::of_config(TWENTY, &config).main("").exits(0);
    assert_eq!(server.requests().len(), 20);
}

#[test]
fn a_captured_value_that_holds_itself_is_refused() {
    let script = "let m = #{n: 1};\nm.f = |x| m.n + x;\nlet f = m.f;\n";
    let project = TestProject::of(&format!("{script}parallel_map([1], |x| f.call(x));"));
    project.main("").exits(2).says("holds itself");
    let project = TestProject::of(&format!("{script}parallel_map([m], |x| x);"));
    project.main("").exits(2).says("holds itself");
}

/// A thousand items; the tenth that is read stops the run.
struct Stopping(World, AtomicUsize);

impl Items<()> for Stopping {
    fn pass(&self) -> Box<dyn Iterator<Item = Unread<'_, ()>> + Send + '_> {
        Box::new((0..1000).map(|n| -> Unread<'_, ()> {
            if self.1.fetch_add(1, Ordering::SeqCst) == 9 {
                self.0.stop.drain_because(Error::new(Kind::Interrupted, "interrupted"));
            }
            Box::new(move || Ok(Item { id: n.to_string(), plain: Value::Null, payload: () }))
        }))
    }
}

#[test]
fn planning_ends_when_the_run_is_to_stop() {
    let project = TestProject::of("");
    let config = Config::parse("c", &project.read("config/fthost.yaml")).unwrap();
    let opened = Project::open(project.root()).unwrap();
    let items = Stopping(
        World::new(opened, config, Arc::new(Silent), Box::new(|_| None), "test"),
        AtomicUsize::new(0),
    );
    let job = Job {
        outer: &Scope::default(),
        checkpoint: None,
        name: "job".into(),
        script: "main".into(),
        concurrency: 1,
        items: &items,
        backends: String::new(),
        code: String::new(),
        version_of: &|_| Ok(fthost::work::plan::Extra::default()),
        worker: &|_, _| panic!("nothing may be worked on"),
    };
    assert_eq!(process::run(&items.0, job).unwrap_err().kind(), Kind::Interrupted);
    assert_eq!(items.1.load(Ordering::SeqCst), 10);
}

#[test]
fn a_huge_file_is_not_read_into_a_string() {
    let project = TestProject::of("read_text(\"data/huge.txt\");");
    project.write("data/huge.txt", "");
    std::fs::File::options()
        .write(true)
        .open(project.path("data/huge.txt"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    project.main("").exits(2).says("1099511627776 bytes").says("stream_jsonl");
}
