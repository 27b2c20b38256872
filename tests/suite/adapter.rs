//! A provider written as a script: Ollama's native wire, and the mistakes that such a script can have.

use fault_server::{Answer, ModelServer};

use crate::docs::example_below;
use crate::support::{Ran, TestProject, live_config};

const ASK: &str = r#"print(get_backend("assistant").complete("hi", #{system: "be kind"}).content);"#;

/// A project that asks through an adapter of its own.
fn project(server: &ModelServer, adapter: &str) -> TestProject {
    let config = live_config("adapter", &server.origin(), "file: adapters/own.rhai, max_attempts: 1");
    let project = TestProject::of_config(ASK, &config);
    project.write("adapters/own.rhai", adapter);
    project
}

const FROM: &str = "fn from_http(status, body) { #{content: body.message.content} }\n";
const TO: &str = r#"fn to_http(request) {
    #{path: "/api/chat", body: #{model: request.model, messages: request.messages, stream: false}}
}
"#;

#[test]
fn the_shipped_adapter_runs_the_shipped_pipeline() {
    let server = ModelServer::start();
    let project = TestProject::shipped();
    project.write("config/fthost.yaml", &live_config("adapter", &server.origin(), "file: std/ollama"));
    project.run("run scripts/generate.rhai scripts/assess.rhai -s personas=2 -s turns=3").exits(0);
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.path == "/api/chat"));
    let judged = requests.iter().find(|request| request.body["format"].is_object()).unwrap();
    let criterion = judged.body["format"]["properties"].as_object().unwrap().values().next().unwrap();
    let names: Vec<&String> = criterion["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["reasoning", "answer"], "a model answers in this order");
    assert_eq!(project.lines("data/assessments/checkpoint.jsonl").len(), 2);
}

#[test]
fn a_key_goes_along_and_a_path_does_not_lead_away() {
    let (server, elsewhere) = (ModelServer::start(), ModelServer::start());
    let adapter =
        |path: &str| format!("fn to_http(request) {{ #{{path: \"{path}\", body: #{{}}}} }}\n{FROM}");
    for path in ["@127.0.0.1/x", "x", &format!("//{}/api/chat", elsewhere.origin()), ""] {
        let project = project(&server, &adapter(path));
        project.edit("config/fthost.yaml", "file:", "api_key_env: CANARY_KEY, file:");
        let mut command = project.command(&["run", "scripts/main.rhai"]);
        command.env("CANARY_KEY", "sk-canary-0815");
        let ran = crate::support::Ran::of(command);
        assert!(ran.code != 0 && !ran.err.contains("canary-0815"), "{path}: {}", ran.err);
    }
    assert!(elsewhere.requests().is_empty(), "the key went elsewhere");
    let sound = project(&server, &format!("{TO}{FROM}"));
    sound.edit("config/fthost.yaml", "file:", "api_key_env: CANARY_KEY, file:");
    let mut command = sound.command(&["run", "scripts/main.rhai"]);
    command.env("CANARY_KEY", "sk-canary-0815");
    crate::support::Ran::of(command).exits(0).prints("This answers");
    let requests = server.requests();
    let last = requests.last().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer sk-canary-0815"));
}

#[test]
fn errors_are_the_cores_or_the_scripts() {
    let server = ModelServer::start();
    let usual = project(
        &server,
        &format!("{TO}fn from_http(status, body) {{ if status != 200 {{ return; }} #{{content: \"x\"}} }}"),
    );
    server.push_reply(Answer::error(401, "who are you", "nobody"));
    usual.main("").exits(4).says("the server wants a key").says("who are you");
    let own = project(
        &server,
        &format!(
            "{TO}fn from_http(status, body) {{ #{{error: \"full\", kind: \"rate_limit\", wait: 0.2}} }}"
        ),
    );
    own.edit("config/fthost.yaml", "max_attempts: 1", "max_attempts: 1, max_wait: 1.5");
    own.main("").exits(2).says("full (200)").says("max_wait");
    assert_eq!(server.requests().len(), 3, "it was asked again once: a named wait counts for a second");
    let dead = project(
        &server,
        &format!("{TO}fn from_http(status, body) {{ #{{error: \"gone\", kind: \"dead_backend\"}} }}"),
    );
    dead.main("").exits(4).says("gone");
}

#[test]
fn mistakes_are_told_with_their_line() {
    let server = ModelServer::start();
    for (adapter, words) in [
        (TO.to_string(), vec!["adapters/own.rhai", "`fn from_http(status, body)`"]),
        (format!("{TO}fn from_http(status, body) {{ #{{text: 1}} }}"), vec!["adapters/own.rhai", "content"]),
        (
            format!("{TO}\nfn from_http(status, body) {{ nothing.here }}"),
            vec!["adapters/own.rhai:5:", "nothing"],
        ),
        (
            format!("{TO}fn from_http(status, body) {{ #{{error: \"x\", kind: \"odd\"}} }}"),
            vec!["odd", "rate_limit"],
        ),
        (
            format!("fn to_http(request) {{ get_backend(\"assistant\").complete(\"hi\") }}\n{FROM}"),
            vec!["may not ask a model", "adapters/own.rhai:1:"],
        ),
        ("fn to_http(request) { 1 +  }".into(), vec!["adapters/own.rhai:1:"]),
    ] {
        let ran = project(&server, &adapter).main("").exits(2);
        words
            .iter()
            .for_each(|word| assert!(ran.err.contains(word), "no {word} for {adapter}:\n{}", ran.err));
    }
}

#[test]
fn check_finds_what_an_adapter_lacks() {
    let server = ModelServer::start();
    project(&server, TO).run("check").exits(2).says("`fn from_http(status, body)`");
    project(&server, &format!("{TO}{FROM}")).run("check").exits(0);
}

#[test]
fn an_edited_adapter_makes_records_stale() {
    let server = ModelServer::start();
    let project = project(&server, &format!("{TO}{FROM}"));
    let script = r#"
        let run = process([#{id: "a"}], #{checkpoint: "data/c.jsonl"}, |item| {
            #{id: item.id, text: get_backend("assistant").complete("hi").content}
        });
        print(`stale ${run.stale}`);
    "#;
    project.write("scripts/main.rhai", script);
    project.main("").exits(0).prints("stale 0");
    project.write(
        "adapters/own.rhai",
        &format!("{TO}{}", FROM.replace("content:", "model: \"other\", content:")),
    );
    project.main("").exits(0).prints("stale 1");
}

#[test]
fn a_function_that_never_ends_is_ended() {
    let server = ModelServer::start();
    for adapter in [
        format!("fn to_http(request) {{ loop {{ }} }}\n{FROM}"),
        format!("{TO}fn from_http(status, body) {{ while true {{ body = 1; }} }}"),
        format!("fn to_http(request) {{ to_http(request) }}\n{FROM}"),
    ] {
        let project = project(&server, &adapter);
        let config = project.read("config/fthost.yaml");
        project.write("config/fthost.yaml", &format!("{config}limits: {{operations: 100000}}\n"));
        let ran = project.main("").exits(2).says("adapters/own.rhai:");
        assert!(
            ran.err.contains("limits.operations") || ran.err.contains("limits.call_levels"),
            "{}",
            ran.err
        );
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn garbage_is_told_as_the_script_s_mistake() {
    let server = ModelServer::start();
    for to in [
        "throw \"boom\"",
        "42",
        "()",
        "#{path: 1, body: #{}}",
        "#{path: \"/x\"}",
        "#{path: \"/x\", body: [1]}",
        "#{path: \"/x\", body: #{f: |x| x}}",
        "#{path: \"/x\", body: #{}, headers: #{}}",
    ] {
        let ran = project(&server, &format!("fn to_http(request) {{ {to} }}\n{FROM}")).main("");
        assert!(ran.code == 2 && ran.err.contains("adapters/own.rhai"), "{to}: {ran:?}");
    }
    assert!(server.requests().is_empty());
    for from in [
        "throw \"boom\"",
        "42",
        "[1, 2]",
        "#{content: 5}",
        "#{content: \"x\", usage: #{input_tokens: -1}}",
        "#{content: \"x\", outcome: \"fine\"}",
        "#{error: 1}",
        "if status == 200 { return; }",
    ] {
        let ran = project(&server, &format!("{TO}fn from_http(status, body) {{ {from} }}")).main("");
        assert!(ran.code == 2 && ran.err.contains("adapters/own.rhai"), "{from}: {ran:?}");
    }
}

#[test]
fn numbers_beyond_reason_do_no_harm() {
    let server = ModelServer::start();
    let from = "fn from_http(status, body) {
        let most = 9223372036854775807;
        #{content: \"x\", usage: #{input_tokens: most, output_tokens: most, cached_tokens: most}}
    }";
    let many = project(&server, &format!("{TO}{from}"));
    many.edit("config/fthost.yaml", "file:", "tpm: 1000000000000, price: {input: 1, output: 1}, file:");
    many.write("scripts/main.rhai", &format!("{ASK}\n{ASK}\n{ASK}"));
    many.main("").exits(0);
    let wait =
        format!("{TO}fn from_http(status, body) {{ #{{error: \"x\", kind: \"rate_limit\", wait: 1e300}} }}");
    project(&server, &wait).main("").exits(4).says("asks to wait 8760 h");
}

#[test]
fn a_request_of_a_hundred_megabytes_is_not_sent() {
    let server = ModelServer::start();
    for (parts, words) in [(10, "a string has grown too large"), (5, "the request is 47 MiB large")] {
        let to = format!(
            "fn to_http(request) {{
                let part = \"\";
                part.pad(10000000, \"x\");
                let parts = [];
                for i in 0..{parts} {{ parts.push(part); }}
                #{{path: \"/api/chat\", body: #{{parts: parts}}}}
            }}"
        );
        project(&server, &format!("{to}\n{FROM}")).main("").exits(2).says(words);
    }
    assert!(server.requests().is_empty());
}

#[test]
fn no_way_leads_from_an_adapter_to_a_model() {
    let server = ModelServer::start();
    for way in [
        "process([#{id: \"a\"}], #{}, |item| #{id: \"a\", text: get_backend(\"assistant\").complete(\"hi\").content});",
        "parallel_map([1], |item| get_backend(\"assistant\").complete(\"hi\").content);",
    ] {
        let adapter =
            format!("fn to_http(request) {{ {way} #{{path: \"/api/chat\", body: #{{}}}} }}\n{FROM}");
        let ran = project(&server, &adapter).main("");
        assert!(ran.code != 0 && ran.err.contains("may not ask a model"), "{way}: {ran:?}");
        assert!(server.requests().iter().all(|request| request.body == serde_json::json!({})), "{way}");
    }
}

#[test]
fn an_error_inside_of_a_success_may_pass() {
    let server = ModelServer::start();
    let from = "fn from_http(status, body) { #{error: \"the model is loading\"} }";
    let project = project(&server, &format!("{TO}{from}"));
    project.edit("config/fthost.yaml", "max_attempts: 1", "max_attempts: 2");
    project.main("").exits(2).says("the model is loading (200)");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_adapter_of_the_documents_runs_the_shipped_pipeline() {
    let server = ModelServer::start();
    let project = TestProject::shipped();
    let more = "file: scripts/provider.rhai, api_key_env: CANARY_KEY, temperature: 0.5, stop: [\"END\"]";
    project.write("config/fthost.yaml", &live_config("adapter", &server.url(), more));
    let adapter = example_below("docs/backends-in-rhai.md", "## A script as a provider");
    project.write("scripts/provider.rhai", &adapter);
    server.push_reply(Answer::error(429, "slow down", "rate_limit"));
    let words = "run scripts/generate.rhai scripts/assess.rhai -s personas=2 -s turns=3";
    let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("CANARY_KEY", "sk-canary-0815");
    Ran::of(command).exits(0).says("(slow down (429))").prints("tokens in");
    let requests = server.requests();
    assert_eq!(requests.len(), 1 + 2 * 3 * 2 + 2);
    assert!(requests.iter().all(|request| request.path == "/v1/chat/completions"));
    assert!(requests.iter().all(|request| request.body["stop"] == serde_json::json!(["END"])));
    assert_eq!(requests.iter().filter(|request| request.schema().is_some()).count(), 2);
    assert_eq!(project.lines("data/assessments/checkpoint.jsonl").len(), 2);
    server.push_reply(Answer::error(401, "who are you", "invalid_api_key"));
    let mut command = project.command(&["check", "--live"]);
    command.env("CANARY_KEY", "sk-canary-0815");
    Ran::of(command).exits(2).says("rejects the key").says("CANARY_KEY");
}
