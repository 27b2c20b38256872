//! `fthost run --dry-run`: nothing is sent or written, and what it foretells is what the real command does.

use std::collections::BTreeMap;

use fault_server::{Answer, ModelServer, Received, fit};
use fthost::pipeline::tokens::{self, Encoding};
use serde_json::{Value, json};

use crate::every_backend;
use crate::process::TWENTY;
use crate::support::{PIPELINE, Ran, Running, TestProject, live_config, until};

/// The files of a project, and whether it has any data.
fn state(project: &TestProject) -> (Vec<(String, Vec<u8>)>, bool) {
    let mut files = project.files("");
    // Whoever reads a database that is in use notes that in here.
    files.retain(|(path, _)| !path.ends_with(".sqlite-shm"));
    (files, project.exists("data"))
}

/// A dry run that leaves no trace; its `estimate` event.
fn foretold(project: &TestProject, words: &str) -> Value {
    let before = state(project);
    let ran = project.run(&format!("{words} --dry-run --json")).exits(0);
    assert!(state(project) == before, "{words}: it wrote something");
    let estimate = ran.events().into_iter().find(|event| event["event"] == "estimate");
    estimate.unwrap_or_else(|| panic!("no estimate:\n{}", ran.out))
}

/// The calls that each backend is expected to get.
fn calls(estimate: &Value) -> BTreeMap<String, u64> {
    let backends = estimate["backends"].as_array().unwrap();
    backends.iter().map(|b| (b["name"].as_str().unwrap().into(), b["calls"].as_u64().unwrap())).collect()
}

/// Whether two numbers differ by no more than a share of the second.
#[track_caller]
fn assert_close(what: &str, foretold: f64, real: f64, share: f64) {
    let off = (foretold - real) / real;
    assert!(off.abs() <= share, "{what}: {foretold} was foretold, it was {real} ({:+.1} %)", off * 100.0);
}

// What a night costs

const TWO_MODELS: &str = "
  big: {kind: openai-chat, model: big, base_url: URL, api_key_env: null, max_tokens: 400, price: {input: 2.5, output: 10}}
  small: {kind: openai, model: small, base_url: URL, api_key_env: null, max_tokens: 400, price: {input: 0.4, output: 1.6}}
roles: {user_sim: small, assistant: big, judges: [big, small]}
";

const SUBJECTS: &[&str] =
    &["The machine", "Your parcel", "A grinder", "My boiler", "That valve", "Our workshop", "Nobody", "It"];
const VERBS: &[&str] =
    &["leaks", "arrived", "makes noise", "was replaced", "will be sent", "stays cold", "stopped"];
const ENDS: &[&str] =
    &["since Tuesday", "in 3 days", "after descaling", "at 9 bar", "without a reason", "again"];

/// Text of some sense, of so many tokens or a few more.
fn speech(tokens: usize, mut seed: usize) -> String {
    let mut text = String::new();
    while tokens::count(&text, Encoding::default()) < tokens {
        let pick = |words: &[&'static str], by: usize| words[seed / by % words.len()];
        text += &format!("{} {} {}. ", pick(SUBJECTS, 1), pick(VERBS, 7), pick(ENDS, 41));
        seed = seed.wrapping_mul(6_364_136_223).wrapping_add(1_442_695) >> 1;
    }
    text.trim_end().into()
}

/// A model of some words: 65 to 105 tokens a reply, 15 to 45 for each of a judge's reasons.
fn talk(request: &Received) -> Answer {
    let seed = usize::from_str_radix(&request.logical().hash()[..8], 16).unwrap();
    Answer::Text(match request.schema() {
        None => speech(65 + seed % 41, seed),
        Some(schema) => reasoned(fit(&schema), &mut { seed }).to_string(),
    })
}

fn reasoned(value: Value, seed: &mut usize) -> Value {
    match value {
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, reasoned(value, seed))).collect(),
        Value::String(text) if text == "ok" => {
            *seed += 77;
            speech(15 + *seed % 31, *seed).into()
        }
        other => other,
    }
}

#[test]
fn the_shipped_pipeline_costs_what_was_foretold() {
    let server = ModelServer::start();
    server.set_counter(|text| tokens::count(text, Encoding::default()) as u64);
    server.set_rule(talk);
    let project = TestProject::shipped();
    project.write(
        "config/fthost.yaml",
        &format!("backends:{}", TWO_MODELS.replace("URL", &format!("\"{}\"", server.url()))),
    );
    let estimate = foretold(&project, PIPELINE);
    assert!(server.requests().is_empty(), "nothing was sent");
    project.run(PIPELINE).exits(0);
    let mut all = (0, 0.0);
    for (name, price) in [("big", (2.5, 10.0)), ("small", (0.4, 1.6))] {
        let bill: Vec<_> = server.bill().into_iter().filter(|charge| charge.model == name).collect();
        let input: u64 = bill.iter().map(|charge| charge.input_tokens).sum();
        let output: u64 = bill.iter().map(|charge| charge.output_tokens).sum();
        let usd = (input as f64 * price.0 + output as f64 * price.1) / 1e6;
        let told = estimate["backends"].as_array().unwrap().iter().find(|b| b["name"] == name).unwrap();
        assert_eq!(told["calls"], bill.len(), "{name}");
        assert_close("tokens in", told["input_tokens"].as_f64().unwrap(), input as f64, 0.25);
        assert_close("tokens out", told["output_tokens"].as_f64().unwrap(), output as f64, 0.25);
        assert_close("dollars", told["usd"].as_f64().unwrap(), usd, 0.25);
        all = (all.0 + bill.len(), all.1 + usd);
    }
    assert_eq!((all.0, &estimate["all"]["calls"]), (520, &520.into()));
    assert_close("all", estimate["all"]["usd"].as_f64().unwrap(), all.1, 0.25);
}

#[test]
fn other_reply_lengths_cost_what_was_foretold() {
    let server = ModelServer::start();
    server.set_counter(|text| tokens::count(text, Encoding::default()) as u64);
    let project = TestProject::shipped();
    let config = format!("backends:{}", TWO_MODELS.replace("URL", &format!("\"{}\"", server.url())));
    project.write("config/fthost.yaml", &config);
    let words = "run scripts/generate.rhai -s personas=4";
    let capped = foretold(&project, &format!("{words} --max-usd 0.01 --max-calls 96"));
    assert_eq!(capped["remarks"], json!(["the run would stop at its cap: $0.00 of $0.01 (--max-usd)"]));
    let estimate = foretold(&project, words);
    let usd = |key: &str| estimate["all"][key].as_f64().unwrap();
    assert!(usd("usd_if_replies_half") < usd("usd") && usd("usd") < usd("usd_if_replies_double"));
    for (key, tokens) in [("usd_if_replies_half", 40), ("usd_if_replies_double", 160)] {
        server.set_rule(move |request| Answer::Text(speech(tokens, request.body.to_string().len())));
        let before = cost(&server);
        project.run(&format!("{words} --redo all --fresh")).exits(0);
        assert_close(key, usd(key), cost(&server) - before, 0.1);
    }
}

#[test]
fn replies_so_far_tell_how_long_the_next_will_be() {
    let server = ModelServer::start();
    server.set_counter(|text| tokens::count(text, Encoding::default()) as u64);
    // Far from what is assumed of an unknown model, and of another length for each role.
    server.set_rule(|request| {
        let seed = usize::from_str_radix(&request.logical().hash()[..8], 16).unwrap();
        let tokens = if request.logical().model == "big" { 250 } else { 30 };
        match request.schema() {
            None => Answer::Text(speech(tokens + seed % 20, seed)),
            Some(schema) => Answer::Text(reasoned(fit(&schema), &mut { seed }).to_string()),
        }
    });
    let project = TestProject::shipped();
    let config = format!("backends:{}", TWO_MODELS.replace("URL", &format!("\"{}\"", server.url())));
    project.write("config/fthost.yaml", &config);
    project.run(&format!("{PIPELINE} --limit 1")).exits(0);
    let (estimate, before) = (foretold(&project, PIPELINE), cost(&server));
    assert_eq!(estimate["assumptions"][0]["source"], "the mean of its last 12", "{estimate}");
    project.run(PIPELINE).exits(0);
    assert_close("all", estimate["all"]["usd"].as_f64().unwrap(), cost(&server) - before, 0.1);
}

/// What the server's bill comes to by the prices of `TWO_MODELS`.
fn cost(server: &ModelServer) -> f64 {
    let price = |model: &str| if model == "big" { (2.5, 10.0) } else { (0.4, 1.6) };
    let one = |input: u64, output: u64, (a, b): (f64, f64)| (input as f64 * a + output as f64 * b) / 1e6;
    server.bill().iter().map(|c| one(c.input_tokens, c.output_tokens, price(&c.model))).sum()
}

// What is there already counts

/// The pipeline with eight short conversations.
const EIGHT: &str =
    "run scripts/generate.rhai scripts/assess.rhai scripts/slice.rhai -s personas=8 -s turns=3";

/// The calls that were foretold are those that are made.
#[track_caller]
fn assert_foretold(server: &ModelServer, project: &TestProject, words: &str, expected: u64) {
    let before = server.totals();
    let estimate = foretold(project, words);
    assert_eq!(server.totals(), before, "{words}: something was sent");
    assert_eq!(estimate["all"]["calls"], expected, "{words}: {estimate}");
    project.run(words).exits(0);
    let now = server.totals();
    assert_eq!(now.calls - before.calls, expected, "{words}");
    if expected > 0 {
        let input = (now.input_tokens - before.input_tokens) as f64;
        assert_close(words, estimate["all"]["input_tokens"].as_f64().unwrap(), input, 0.25);
    }
}

#[test]
fn only_what_a_run_would_do_counts() {
    let server = ModelServer::start();
    server.set_counter(|text| tokens::count(text, Encoding::default()) as u64);
    server.set_rule(talk);
    let project = TestProject::shipped_live(&server);
    let expect = |words: &str, calls| assert_foretold(&server, &project, &format!("{EIGHT} {words}"), calls);
    expect("--limit 2", 2 * 7);
    expect("--limit 3 --concurrency 1", 7);
    // Five are to be generated and judged; then three more judgements, of what is there.
    let generate = EIGHT.replace("scripts/assess.rhai scripts/slice.rhai", "");
    assert_foretold(&server, &project, &format!("{generate} --limit 6"), 3 * 6);
    expect("", 2 * 6 + 5);
    expect("", 0);
    expect("--redo all", 0);
    expect("--redo all --fresh", 8 * 7);
    expect("--redo persona_0003,persona_0005 --fresh", 2 * 7);
    project.edit("config/prompts/user_sim.md", "You write", "Now you write");
    expect("", 0);
    expect("--redo stale --limit 7", 7 * 7);
    expect("--redo stale", 7);
    project.edit("config/prompts/assessor.md", "You judge", "Now you judge");
    expect("--redo stale", 8);
}

#[test]
fn what_is_done_and_stale_is_told() {
    let server = ModelServer::start();
    let project = TestProject::shipped_live(&server);
    project.run(&format!("{EIGHT} --limit 5")).exits(0);
    project.edit("config/prompts/user_sim.md", "You write", "Now you write");
    let words = format!("{EIGHT} --dry-run");
    let ran = project.run(&words).exits(0);
    ran.prints("data/raw/generation_checkpoint.jsonl  3 of 3 items tried, 5 stale and kept\n")
        .prints("data/assessments/checkpoint.jsonl     3 of 3 items tried, 5 already done\n");
    let ran = project.run(&format!("{words} --redo stale")).exits(0);
    // All five that have got replies before, and the three that have not.
    ran.prints("data/raw/generation_checkpoint.jsonl  8 of 8 items tried\n")
        .prints("data/assessments/checkpoint.jsonl     8 of 8 items tried\n");
}

#[test]
fn offline_text_that_a_run_would_replace_is_no_obstacle() {
    let server = ModelServer::start();
    let project = TestProject::shipped();
    project.run(EIGHT).exits(0);
    // The judges stay as they are: their verdicts on what is left out are not of today.
    project.edit("config/fthost.yaml", "  offline: {kind: offline}\n", &format!(
        "  offline: {{kind: offline}}\n  live: {{kind: openai-chat, model: m, base_url: \"{}\", api_key_env: null}}\n", server.url()));
    project.edit("config/fthost.yaml", "user_sim: offline", "user_sim: live");
    project.edit("config/fthost.yaml", "{backend: offline, ", "{backend: live, ");
    let estimate = foretold(&project, &format!("{EIGHT} --redo stale"));
    assert_eq!(
        calls(&estimate),
        [("live", 48), ("offline-lenient", 8), ("offline-strict", 8)].map(|(n, c)| (n.into(), c)).into()
    );
    project.run(&format!("{EIGHT} --redo stale")).exits(0);
    assert_eq!(server.totals().calls, 48);
}

// Nothing is touched

#[test]
fn a_run_that_works_is_not_disturbed() {
    let server = ModelServer::start();
    server.set_rule(|request| match request.body.to_string().contains("item_1") {
        true => Answer::Hang,
        false => Answer::Usual,
    });
    let project = TestProject::live(&server, TWENTY);
    let run = project.start("run scripts/main.rhai --concurrency 20");
    // Eleven hang: the others are done, which the ledger hears last, and nothing changes any more.
    until("records", || project.exists("data/c.jsonl") && project.read("data/c.jsonl").lines().count() == 9);
    let complete = "SELECT count(*) AS n FROM items WHERE state = 'complete'";
    until("the ledger", || project.ledger(complete)[0]["n"] == 9);
    let estimate = foretold(&project, "run scripts/main.rhai");
    let job = &estimate["jobs"][0];
    assert_eq!((&job["done"], &job["to_do"], &estimate["all"]["calls"]), (&9.into(), &11.into(), &11.into()));
    run.signal("KILL");
    run.wait();
    server.set_rule(|_| Answer::Usual);
    project.main("").exits(0);
    assert_eq!(project.lines("data/c.jsonl").len(), 20);
}

#[test]
fn the_temporary_directory_is_left_empty() {
    let elsewhere = TestProject::nothing();
    let endless = "write_text(\"data/x\", \"x\"); loop { sleep(1); }";
    let dry = |script: &str| {
        let project = TestProject::of(script);
        let mut command = project.command(&["run", "scripts/main.rhai", "--dry-run"]);
        command.env("TMPDIR", elsewhere.root());
        (project, command)
    };
    for (script, code) in [
        ("write_text(\"data/x\", \"x\");", 0),
        ("write_text(\"data/x\", \"x\"); throw 1;", 2),
        ("nothing()", 2),
    ] {
        let (_project, command) = dry(script);
        Ran::of(command).exits(code);
        assert_eq!(std::fs::read_dir(elsewhere.root()).unwrap().count(), 0, "{script}");
    }
    for signals in [1, 2] {
        let (_project, command) = dry(endless);
        let run = Running::start(command);
        until("a file", || elsewhere.files("").iter().any(|(path, _)| path.ends_with("data/x")));
        (0..signals).for_each(|_| run.signal("INT"));
        run.wait().exits(130);
        assert_eq!(std::fs::read_dir(elsewhere.root()).unwrap().count(), 0, "after {signals} signals");
    }
}

#[test]
fn a_torn_line_stays_as_it_is() {
    let project = TestProject::of(&crate::process::three("#{n: 1}"));
    project.main("").exits(0);
    let whole = project.read("data/c.jsonl");
    project.write("data/c.jsonl", &whole[..whole.len() - 9]);
    let before = state(&project);
    let ran = project.main("--dry-run").exits(0).prints("1 of 1 item tried, 2 already done");
    assert!(!ran.err.contains("torn"), "nothing was mended: {}", ran.err);
    assert!(state(&project) == before);
}

#[test]
fn a_project_that_cannot_be_written_can_be_tried() {
    let project = TestProject::shipped();
    let set =
        |mode: &str| std::process::Command::new("chmod").args(["-R", mode]).arg(project.root()).status();
    assert!(set("a-w").unwrap().success());
    let ran = project.run(&format!("{EIGHT} --dry-run"));
    assert!(set("u+w").unwrap().success());
    ran.exits(0).prints("3 of 8 items tried");
}

#[test]
fn what_a_step_wrote_the_next_one_reads() {
    let script = r#"
        write_text("data/notes/a.txt", "new");
        append_checkpoint("data/c.jsonl", #{id: "b"});
        write_jsonl("data/fresh.jsonl", [#{id: "x"}]);
        let seen = [read_text("data/notes/a.txt"), read_text("data/notes/old.txt"), load_checkpoint("data/c.jsonl").ids,
            list_files("data/**/*.txt"), stream_jsonl("data/fresh.jsonl").len, read_jsonl("data/fresh.jsonl")];
        let refused = [];
        for path in ["config/x", "data/c.jsonl", "data/out/x", "data/../.env", "/tmp/x"] {
            try { write_text(path, "x"); } catch (e) { refused.push(e.kind); }
        }
        try { read_text("data/out/secret"); } catch (e) { refused.push(e.kind); }
        if seen != ["new", "old", ["a", "b"], ["data/notes/a.txt", "data/notes/old.txt"], (), [#{id: "x"}]] { throw `${seen}`; }
        if refused != ["denied", "denied", "denied", "denied", "denied", "denied"] { throw `${refused}`; }
    "#;
    let (project, outside) = (TestProject::of(script), TestProject::nothing());
    outside.write("secret", "s");
    project.write("data/notes/a.txt", "before");
    project.write("data/notes/old.txt", "old");
    project.write("data/c.jsonl", "{\"id\":\"a\"}\n");
    std::os::unix::fs::symlink(outside.root(), project.path("data/out")).unwrap();
    let before = state(&project);
    project.main("--dry-run").exits(0);
    assert!(state(&project) == before && outside.files("").len() == 1);
    assert!(!project.exists("data/fresh.jsonl"));
}

// What scripts do

/// A script that works on twenty items.
fn twenty(more: &str) -> String {
    format!(
        "let items = (1..=20).collect(|n| #{{id: `${{n}}`, n: n}});\nlet model = get_backend(\"assistant\");\n{more}"
    )
    .replace("(1..=20).collect(|n| #{id: `${n}`, n: n})", "[]; for n in 1..=20 { items.push(#{id: `${n}`, n: n}); }")
}

#[test]
fn all_shapes_of_calls_count() {
    let server = ModelServer::start();
    for (script, expected) in [
        // Items in items stand for what their item stands for.
        ("process(items, #{}, |item| { process([#{id: \"a\"}, #{id: \"b\"}], #{}, |x| { model.complete(x.id); #{} }); #{} });", 40),
        ("process(items, #{}, |item| { parallel_map([1, 2, 3], |n| model.complete(`${n}`)); #{} });", 60),
        // Two at a time.
        ("parallel_map([1, 2], |n| process(items, #{job: `job ${n}`}, |item| { model.complete(\"hi\"); #{} }));", 40),
        // Outside, and in the old style.
        ("model.complete(\"once\"); for item in items { model.complete(item.id); }", 21),
        // By the items' own answers.
        ("process(items, #{}, |item| { for i in 0..item.n { model.complete(\"hi\"); } #{} });", 200),
        // A step on what the one before left.
        ("process(items, #{checkpoint: \"data/a.jsonl\"}, |item| { model.complete(\"hi\"); #{} });
          let made = []; for id in load_checkpoint(\"data/a.jsonl\").ids { made.push(#{id: id}); }
          process(made, #{checkpoint: \"data/b.jsonl\"}, |item| { model.complete(\"ho\"); #{} });
          process(load_checkpoint_results(\"data/b.jsonl\").values(), #{checkpoint: \"data/c.jsonl\"}, |item| { model.complete(\"hm\"); #{} });", 60),
    ] {
        let project = TestProject::live(&server, &twenty(script));
        let before = server.totals().calls;
        let estimate = foretold(&project, "run scripts/main.rhai");
        assert_eq!(server.totals().calls, before);
        project.main("").exits(0);
        let real = server.totals().calls - before;
        let told = estimate["all"]["calls"].as_u64().unwrap();
        match expected {
            200 => assert_eq!((told, real), (207, 210), "by the first, the tenth and the last: {script}"),
            _ => assert_eq!((told, real), (expected, expected), "{script}"),
        }
    }
}

#[test]
fn a_script_that_asks_a_provider_counts_with_its_caller() {
    let server = ModelServer::start();
    let config = format!(
        "backends:\n  live: {{kind: openai-chat, model: m, base_url: \"{}\", api_key_env: null}}\n  \
         own: {{kind: script, file: scripts/own.rhai}}\nroles: {{assistant: own}}\n",
        server.url()
    );
    let project = TestProject::of_config(
        &twenty("process(items, #{}, |item| { model.complete(\"hi\"); #{} });"),
        &config,
    );
    project.write(
        "scripts/own.rhai",
        "fn complete(request) { get_backend(\"live\").complete(\"ask\", #{}).content }",
    );
    let estimate = foretold(&project, "run scripts/main.rhai");
    assert_eq!(calls(&estimate), [("live".into(), 20), ("own".into(), 20)].into());
    project.main("").exits(0);
    assert_eq!(server.totals().calls, 20);
}

#[test]
fn calls_that_may_depend_on_what_was_left_out_are_named() {
    let server = ModelServer::start();
    let script = twenty(
        "process(items, #{checkpoint: \"data/a.jsonl\"}, |item| { #{} });
        for id in load_checkpoint(\"data/a.jsonl\").ids { model.complete(id); }",
    );
    let project = TestProject::live(&server, &script);
    project.main("--dry-run").exits(0).prints("calls outside of `process` count once");
}

#[test]
fn what_scripts_print_is_not_taken_for_a_result() {
    let server = ModelServer::start();
    let script = twenty(
        "print(\"three of twenty\"); log_info(\"three done\"); process(items, #{}, |item| #{by: model.name});",
    );
    let project = TestProject::live(&server, &script);
    let ran = project.main("--dry-run").exits(0);
    assert_eq!(
        ran.out,
        "DRY RUN: nothing was sent, nothing was written\n  scripts/main.rhai  3 of 20 items tried\nno calls\n"
    );
    assert_eq!(ran.err, "");
    let ran = project.main("--dry-run -v").exits(0).says("three of twenty").says("three done");
    assert!(!ran.out.contains("three"));
}

#[test]
fn structured_replies_fit_their_schema() {
    let server = ModelServer::start();
    let script = r#"
        let s = schema(#{type: "object", required: ["why", "score", "tags"], properties: #{why: #{type: "string"},
            score: #{type: "integer", minimum: 3, maximum: 5}, tags: #{type: "array", minItems: 2, items: #{enum: ["a", "b"]}}}});
        let reply = get_backend("assistant").complete_structured("judge", s);
        if reply.score < 3 || reply.tags.len() != 2 || reply.why == "" { throw `${reply}`; }
    "#;
    let project = TestProject::live(&server, script);
    project
        .main("--dry-run")
        .exits(0)
        .prints("assumed of live: 25 tokens for each text of a structured reply");
}

// Mistakes

#[test]
fn an_item_that_fails_is_told_as_ever() {
    let server = ModelServer::start();
    let script = twenty(
        "process(items, #{checkpoint: \"data/c.jsonl\"}, |item| {\n    model.complete(\"hi\");\n    \
         if item.n == 20 { throw \"no twenty\"; }\n    #{}\n});",
    );
    let project = TestProject::live(&server, &script);
    let before = state(&project);
    let ran = project
        .main("--dry-run")
        .exits(1)
        .says("1 item failed: 20")
        .says("no twenty")
        .says("scripts/main.rhai:5:23");
    assert!(!ran.err.contains(".failed.jsonl"), "there is no such file: {}", ran.err);
    ran.prints("data/c.jsonl  3 of 20 items tried, 1 failed\n").prints("live        20  ");
    assert!(state(&project) == before);
}

#[test]
fn a_mistake_ends_it_without_an_estimate() {
    let server = ModelServer::start();
    let project =
        TestProject::live(&server, "get_backend(\"assistant\").complete(\"hi\"); throw \"enough\";");
    let ran = project.main("--dry-run").exits(2).says("enough");
    assert_eq!(ran.out, "");
    project.write("scripts/main.rhai", "get_backend(\"assistent\")");
    project.main("--dry-run").exits(2).says("assistent");
    project.write("scripts/main.rhai", "get_bakend(\"assistant\")");
    project.main("--dry-run").exits(2).says("get_bakend");
    project.main("--dry-run -s turn=3").exits(2);
    assert!(server.requests().is_empty() && !project.exists("data"));
}

#[test]
fn an_adapter_that_cannot_write_its_requests_fails_before_it_costs() {
    let config = live_config("adapter", "http://127.0.0.1:1", "file: adapters/own.rhai");
    let project =
        TestProject::of_config("print(get_backend(\"assistant\").complete(\"hi\").content);", &config);
    project.write(
        "adapters/own.rhai",
        "fn to_http(request) { request.nothing.at.all }\nfn from_http(status, body) { () }",
    );
    project.main("--dry-run").exits(2).says("adapters/own.rhai:1:");
}

// All kinds

#[test]
fn no_key_no_program_and_no_server_is_needed() {
    for (kind, more) in [
        ("openai", ""),
        ("openai-chat", ", rpm: 1, tpm: 10, concurrency: 1"),
        ("google", ""),
        ("anthropic", ""),
        ("adapter", ", api_key_env: NO_SUCH_KEY, base_url: \"http://127.0.0.1:1\", file: std/ollama"),
        ("claude", ", api_key_env: NO_SUCH_KEY, command: /no/such/program"),
    ] {
        let config = format!(
            "backends:\n  live: {{kind: {kind}, model: m{more}}}\nroles: {{user_sim: live, assistant: live, judges: [live]}}\n"
        );
        let project = TestProject::shipped();
        project.write("config/fthost.yaml", &config);
        let estimate = foretold(&project, EIGHT);
        assert_eq!(calls(&estimate), [("live".to_string(), 56)].into(), "{kind}");
        assert!(estimate["remarks"][0].as_str().unwrap().contains("no `price`"), "{kind}: {estimate}");
    }
}

#[test]
fn a_stub_is_taken_for_the_backend_that_it_stands_for() {
    let server = ModelServer::start();
    for kind in every_backend::KINDS {
        let project = every_backend::project(&server, kind);
        let ran = every_backend::run(&project, every_backend::PIPELINE);
        assert_eq!(ran.code, 0, "{}: {}", kind.0, ran.err);
        let estimate = foretold(&project, every_backend::PIPELINE);
        for job in estimate["jobs"].as_array().unwrap() {
            assert_eq!(
                (&job["done"], &job["stale"], &job["to_do"]),
                (&2.into(), &0.into(), &0.into()),
                "{}: {job}",
                kind.0
            );
        }
        assert_eq!(estimate["all"]["calls"], 0, "{}", kind.0);
    }
}

// For machines

#[test]
fn machines_get_an_estimate_and_an_end() {
    let project = TestProject::shipped();
    project.write(
        "config/fthost.yaml",
        &live_config("openai", "http://127.0.0.1:1/v1", "max_tokens: 50, price: {input: 1, output: 2}"),
    );
    let ran: Ran = project.run(&format!("{EIGHT} --dry-run --json")).exits(0);
    let events = ran.events();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["estimate", "end"]);
    let (estimate, end) = (&events[0], &events[1]);
    let job = json!({"job": "data/raw/generation_checkpoint.jsonl", "tried": 3, "failed": 0, "to_do": 8, "done": 0, "stale": 0});
    assert_eq!(estimate["jobs"][0], job);
    let backend = &estimate["backends"][0];
    let (input, output) =
        (backend["input_tokens"].as_f64().unwrap(), backend["output_tokens"].as_f64().unwrap());
    assert_eq!(output, 56.0 * 50.0, "no reply is longer than max_tokens");
    assert!((backend["usd"].as_f64().unwrap() - (input + 2.0 * output) / 1e6).abs() < 1e-4);
    assert_eq!(backend["usd"], estimate["all"]["usd"]);
    let assumed = &estimate["assumptions"][0];
    assert_eq!(
        (&assumed["backend"], &assumed["tokens"], &assumed["of"]),
        (&"live".into(), &80.into(), &"reply".into())
    );
    assert_eq!((&end["exit"], &end["backends"]), (&0.into(), &json!([])), "nothing was spent");
}
