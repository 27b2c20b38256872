//! What is the same on all backends: the shipped pipeline, and what a script sees.

use fault_server::ModelServer;
use serde_json::Value;

use crate::support::{Ran, TestProject, live_config, root};

/// Small, and all three steps.
pub const PIPELINE: &str =
    "run scripts/generate.rhai scripts/assess.rhai scripts/slice.rhai -s personas=2 -s turns=4";

/// Every kind that asks a model: its `base_url` after the server's origin, and what else it needs.
pub const KINDS: [(&str, &str, &str); 6] = [
    ("openai", "/v1", "api_key_env: null"),
    ("openai-chat", "/v1", "api_key_env: null"),
    ("google", "/v1beta", "api_key_env: null"),
    ("anthropic", "/v1", "api_key_env: null"),
    ("adapter", "", "file: std/ollama"),
    ("claude", "", ""),
];

/// A shipped project whose roles are all on one kind.
pub fn project(server: &ModelServer, (kind, path, more): (&str, &str, &str)) -> TestProject {
    let project = TestProject::shipped();
    let config = match kind {
        "claude" => format!(
            "backends:\n  live: {{kind: claude, model: m, concurrency: 2, command: \"{}\"}}\n\
             roles: {{user_sim: live, assistant: live, judges: [live]}}\n",
            root().join("tests/fake_claude.py").display()
        ),
        _ => live_config(kind, &format!("{}{path}", server.origin()), more),
    };
    project.write("config/fthost.yaml", &config);
    project
}

pub fn run(project: &TestProject, words: &str) -> Ran {
    let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("HOME", project.root());
    Ran::of(command)
}

#[test]
fn the_shipped_pipeline_gives_the_same_on_every_wire() {
    let server = ModelServer::start();
    let made: Vec<_> = KINDS
        .map(|kind| {
            let project = project(&server, kind);
            let ran = run(&project, PIPELINE);
            assert_eq!(ran.code, 0, "{}: {}", kind.0, ran.err);
            (kind.0, project.files("data/raw/transcripts"), project.files("data/processed"))
        })
        .into();
    let (_, transcripts, training) = &made[0];
    assert_eq!((transcripts.len(), training.len()), (2, 3));
    for (kind, others, trained) in &made[1..] {
        assert_eq!(others, transcripts, "transcripts of {kind}");
        assert_eq!(trained, training, "training data of {kind}");
    }
}

#[test]
fn a_script_sees_the_same_fields_on_every_wire() {
    let script = r#"
        let backend = get_backend("assistant");
        let reply = backend.complete("Hello", #{system: "Be brief.", max_tokens: 200});
        let schema = schema(#{type: "object", properties: #{reasoning: #{type: "string"}, answer: #{enum: ["YES", "NO"]}},
            required: ["reasoning", "answer"]});
        let verdict = backend.complete_structured("Is it?", schema, #{max_tokens: 200});
        write_json("data/seen.json", #{
            content: reply.content, model: reply.model, reasoning: reply.reasoning, usage: reply.usage.keys(),
            finished: type_of(reply.finish_reason), counted: reply.usage.output_tokens > 0, verdict: verdict,
        });
    "#;
    let server = ModelServer::start();
    let seen = |kind: &(&str, &str, &str)| -> Value {
        let project = project(&server, *kind);
        project.write("scripts/main.rhai", script);
        let ran = run(&project, "run scripts/main.rhai");
        assert_eq!(ran.code, 0, "{}: {}", kind.0, ran.err);
        project.json("data/seen.json")
    };
    let first = seen(&KINDS[0]);
    assert_eq!((&first["verdict"]["answer"], &first["counted"]), (&"YES".into(), &true.into()), "{first}");
    KINDS[1..].iter().for_each(|kind| assert_eq!(seen(kind), first, "{}", kind.0));
}
