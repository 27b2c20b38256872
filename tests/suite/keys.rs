//! Where a key goes, and where it does not: to its own origin alone, whatever a server or an adapter says, and into
//! no output and no file, however a server echoes it.

use std::sync::Arc;

use fthost::base::cancel::Stop;
use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::llm::adapter::Functions;
use fthost::llm::{Backend, Reply, Request, Secret, Shared};
use serde_json::{Value, json};

use crate::support::{Ran, TestProject, live_config};
use fault_server::{Answer, ModelServer, Received};

/// With what every encoder changes.
const KEY: &str = "sk-canary+4711/a=b";

/// The key as a server may write it.
const FORMS: [&str; 5] = [
    KEY,
    // Alone, and with the word before it.
    "c2stY2FuYXJ5KzQ3MTEvYT1i",
    "QmVhcmVyIHNrLWNhbmFyeSs0NzExL2E9Yg==",
    "sk-canary%2B4711%2Fa%3Db",
    "sk-canary%2b4711%2fa%3db",
];

/// The key's own characters, and what all of its encoded forms hold.
fn shows_the_key(text: &str) -> bool {
    ["canary", "Y2FuYXJ5", "jYW5hcn", "NhbmFye"].iter().any(|part| text.contains(part))
}

/// What the server does with the item that its prompt names: `what form`.
fn echo(request: &Received) -> Answer {
    let prompt = request.logical().messages[0].content.clone();
    let (what, form) = prompt.split_once(' ').unwrap();
    let form = FORMS[form.parse::<usize>().unwrap()];
    let error = |status| Answer::error(status, &format!("you sent {form}"), form);
    match what {
        "reply" => Answer::Text(format!("your key is {form}")),
        "refusal" => Answer::Refusal(format!("not with {form}")),
        "truncated" => Answer::Truncated(format!("half of {form}")),
        "malformed" => Answer::raw(format!("{{\"model\": \"{form}\", ")),
        "unfinished" => Answer::raw(
            json!({"choices": [{"message": {"content": form}, "finish_reason": form}]}).to_string(),
        ),
        "redirect" => Answer::redirect(&format!("http://127.0.0.1:9/{form}?key={form}")),
        "page" => Answer::Http(502, vec![], format!("<html>{form}</html>").into_bytes()),
        "limit" => error(429).header("retry-after", form).header("x-ratelimit-remaining-requests", form),
        status => error(status.parse().unwrap()).header("www-authenticate", form).header("location", form),
    }
}

const KINDS: [&str; 12] = [
    "reply",
    "refusal",
    "truncated",
    "malformed",
    "unfinished",
    "redirect",
    "page",
    "limit",
    "400",
    "413",
    "500",
    "503",
];

/// A run over an item for each kind of echo and each form: once the script notes the errors, once they fail the items.
fn script() -> String {
    // Not all of one kind in a row: that would be a dead server.
    let items: Vec<Value> = (0..FORMS.len())
        .flat_map(|form| KINDS.iter().map(move |kind| json!({"id": format!("{kind} {form}")})))
        .collect();
    let items = Value::from(items).to_string().replace(":", ": ").replace("{", "#{");
    format!(
        r#"
        process({items}, #{{checkpoint: "data/noted.jsonl", concurrency: 4}}, |item| {{
            #{{id: item.id, error: try_it(item.id)}}
        }});
        process({items}, #{{checkpoint: "data/c.jsonl", concurrency: 4}}, |item| {{
            let said = get_backend("assistant").complete(item.id);
            #{{said: said.content, model: said.model, finish: said.finish_reason}}
        }});
        fn try_it(id) {{
            try {{ return get_backend("assistant").complete(id).content; }} catch (e) {{ log_warn(e.message); print(e); return e.message; }}
        }}
        "#
    )
}

fn run(project: &TestProject, words: &str) -> Ran {
    let mut command = project.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("CANARY", KEY);
    Ran::of(command)
}

/// Of everything that was said and written.
fn check(project: &TestProject, ran: &Ran, what: &str) {
    for (name, text) in [("stdout", &ran.out), ("stderr", &ran.err)] {
        let line = text.lines().find(|line| shows_the_key(line));
        assert_eq!(line, None, "{what}: {name}");
    }
    for (path, bytes) in project.files("") {
        assert!(!shows_the_key(&String::from_utf8_lossy(&bytes)), "{what}: {path}");
    }
}

#[test]
fn no_echo_of_a_key_is_told_or_written() {
    let server = ModelServer::start();
    server.set_rule(echo);
    for words in ["run scripts/main.rhai -v", "run scripts/main.rhai --json"] {
        let more = "api_key_env: CANARY, max_attempts: 1";
        let project = TestProject::of_config(&script(), &live_config("openai-chat", &server.url(), more));
        let ran = run(&project, words).exits(1);
        check(&project, &ran, words);
        assert_eq!(project.lines("data/noted.jsonl").len(), KINDS.len() * FORMS.len(), "{}", ran.err);
        let failed = project.lines("data/c.failed.jsonl");
        assert_eq!(failed.len(), (KINDS.len() - 1) * FORMS.len(), "{}", ran.err);
        assert!(project.read("data/c.failed.jsonl").contains("[secret]"));
        assert!(project.read("data/c.jsonl").contains("your key is [secret]"));
    }
    let seen = server.requests();
    let bearer = format!("Bearer {KEY}");
    assert!(seen.iter().all(|request| request.header("authorization") == Some(&bearer)));
}

#[test]
fn what_ends_a_run_does_not_tell_the_key_either() {
    let server = ModelServer::start();
    for status in [401, 402, 403, 404] {
        for form in FORMS {
            server.set_rule(move |_| Answer::error(status, &format!("bad key {form}"), form));
            let more = "api_key_env: CANARY, max_attempts: 1";
            let script = r#"process([#{id: "a"}], #{checkpoint: "data/c.jsonl"}, |item| {
                #{said: get_backend("assistant").complete("x").content} });"#;
            let project = TestProject::of_config(script, &live_config("openai-chat", &server.url(), more));
            let ran = run(&project, "run scripts/main.rhai --json").exits(4);
            check(&project, &ran, &format!("{status} {form}"));
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.unwrap().block_on(future)
}

/// One call with a key, by an adapter whose path is given, else on Chat Completions.
fn ask(base_url: &str, path: Option<&str>, shared: &Shared) -> fthost::base::Result<Reply> {
    let more = path.map_or("kind: openai-chat".to_string(), |_| "kind: adapter, file: x.rhai".into());
    let text = format!(
        "backends: {{b: {{{more}, model: m, base_url: \"{base_url}\", api_key_env: CANARY, max_attempts: 1}}}}\n"
    );
    let config = Config::parse("c", &text).unwrap().backends.remove("b").unwrap();
    let key = Some(Secret::new(KEY));
    let backend = match path {
        None => Backend::open("b", &config, key, shared),
        Some(path) => {
            let path = path.to_string();
            let functions = Functions {
                file: "x.rhai".into(),
                origin: "x".into(),
                to_http: Box::new(move |_, _| Ok(json!({"path": path, "body": {}}))),
                from_http: Box::new(|_, _| Ok(json!({"content": "read"}))),
            };
            Backend::open_adapter("b", &config, key, functions, shared)
        }
    };
    block_on(backend?.call(&Request::of("hello"), &Stop::default())).map(|answered| answered.reply)
}

#[test]
fn no_redirect_is_followed() {
    let (server, elsewhere) = (ModelServer::start(), ModelServer::start());
    let shared = Shared::new(Arc::new(Silent));
    let away = elsewhere.origin();
    let port = away.rsplit(':').next().unwrap();
    let mut asked = 0;
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for to in [
            format!("{away}/v1/chat/completions"),
            format!("//127.0.0.1:{port}/v1/chat/completions"),
            format!("http://localhost:{port}/v1/chat/completions"),
            format!("{}/v1/other", server.origin()),
            "/v1/other".into(),
            "chat/other".into(),
            String::new(),
        ] {
            server.push_reply(Answer::status(status).header("location", &to));
            let error = ask(&server.url(), None, &shared).unwrap_err();
            assert!(error.message().contains("redirects, which is not followed"), "{status} {to}: {error}");
            asked += 1;
        }
    }
    assert_eq!((server.requests().len(), elsewhere.requests().len()), (asked, 0));
}

#[test]
fn a_path_leads_nowhere_else() {
    let (server, elsewhere) = (ModelServer::start(), ModelServer::start());
    let shared = Shared::new(Arc::new(Silent));
    let away = elsewhere.origin();
    let host = away.trim_start_matches("http://");
    for base in [server.origin(), format!("{}/", server.origin()), format!("{}/v1/deep", server.origin())] {
        for path in [
            format!("//{host}/x"),
            format!("///{host}/x"),
            format!("/\\\\{host}/x"),
            format!("/@{host}/x"),
            format!("/:80@{host}/x"),
            format!("/../../@{host}/x"),
            format!("/..//{host}/x"),
            format!("/?@{host}/x"),
            format!("/#@{host}/x"),
            format!("/\t@{host}/x"),
            format!("/\r\nhost: {host}\r\n\r\n"),
            format!("@{host}/x"),
            format!(".{host}/x"),
            format!(":80@{host}/x"),
            format!("{away}/x"),
            String::new(),
        ] {
            let before = server.requests().len();
            let result = ask(&base, Some(&path), &shared);
            let (sent, slash) = (server.requests().len() - before, path.starts_with('/'));
            assert_eq!((sent, result.is_ok()), (usize::from(slash), slash), "{base} {path:?}: {result:?}");
        }
    }
    assert!(elsewhere.requests().is_empty(), "the key went elsewhere");
    let own = server.origin().trim_start_matches("http://").to_string();
    assert!(server.requests().iter().all(|request| request.header("host") == Some(&own)));
}

#[test]
fn an_address_with_a_user_name_is_refused() {
    let shared = Shared::new(Arc::new(Silent));
    for base in [
        "http://user@127.0.0.1:9/v1",
        "http://user:word@127.0.0.1:9/v1",
        "http://127.0.0.1:9@evil.example/v1",
    ] {
        let text = format!("backends: {{b: {{kind: openai-chat, model: m, base_url: \"{base}\"}}}}\n");
        let refused = Config::parse("c", &text).is_err()
            || ask(base, None, &shared).is_err_and(|e| e.message().contains("base_url"));
        assert!(refused, "{base}");
    }
}
