//! Tests of the configuration: each fault with its place.

use super::*;

const GOOD: &str = r#"
backends:
  offline: {kind: offline}
  gpt: {kind: openai-chat, model: gpt-4o, concurrency: 8, rpm: 500, price: {input: 2.5, output: 10}, temperature: 0.1}
  local: {kind: openai-chat, model: qwen, base_url: "http://127.0.0.1:8000/v1", api_key_env: null,
          structured: json_object, max_tokens_param: max_tokens, extra_body: {top_k: 20}, stop: END}
roles:
  user_sim: offline
  assistant: {backend: gpt, max_tokens: 100, stop: [a, b]}
  judges: [gpt, {backend: local, temperature: 0}]
limits: {operations: 1000}
budget: {usd: null, calls: null}
"#;

/// The faults of a file, as "line:column message | hint".
fn faults(text: &str) -> Vec<String> {
    let show = |error: Error| {
        let place = error.place().unwrap();
        let hint = error.get_hint().unwrap_or("no hint");
        format!("{}:{} {} | {hint}", place.line, place.column, error.message())
    };
    Config::faults("config/fthost.yaml", text).into_iter().map(show).collect()
}

fn backend_fault(settings: &str) -> String {
    faults(&format!("backends:\n  b: {{kind: openai, model: m, {settings}}}\n")).join("; ")
}

#[test]
fn all_shapes_are_read() {
    let config = Config::parse("c", GOOD).unwrap();
    assert_eq!(config.backends["gpt"].api_key_env, KeyEnv::Usual);
    assert_eq!(config.backends["local"].api_key_env, KeyEnv::Keyless);
    assert_eq!(config.backends["local"].structured, Structured::JsonObject);
    assert_eq!(config.backends["local"].extra_body["top_k"], 20);
    assert_eq!(config.backends["local"].concurrency(), 64);
    assert_eq!(config.limits.operations, 1000);
    assert_eq!(config.limits.string_bytes, 67_108_864);
    assert!(Config::faults("c", GOOD).is_empty());
}

#[test]
fn a_role_sets_its_parameters_over_the_backends() {
    let config = Config::parse("c", GOOD).unwrap();
    let assistant = &config.choices("assistant").unwrap()[0];
    assert_eq!(assistant.params.temperature, Some(0.1));
    assert_eq!(assistant.params.max_tokens, Some(100));
    assert_eq!(assistant.params.stop, Some(vec!["a".into(), "b".into()]));
    let judges = config.choices("judges").unwrap();
    assert_eq!(judges[1].params.temperature, Some(0.0));
    assert_eq!(judges[1].params.stop, Some(vec!["END".into()]));
    assert_eq!(config.choices("offline").unwrap()[0].backend, "offline");
}

#[test]
fn an_unknown_role_is_advised() {
    let error = Config::parse("c", GOOD).unwrap().choices("asistant").unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.get_hint().unwrap().contains("did you mean `assistant`?"));
}

#[test]
fn unknown_names_are_placed_and_advised() {
    let text = "backends:\n  a: {kind: ofline}\nroles:\n  x: b\n  y:\n    - a\n    - {backend: aa}\n";
    let found = faults(text);
    assert_eq!(found[0], "2:7 unknown kind `ofline` | did you mean `offline`?");
    assert_eq!(found[1], "4:3 no backend is named `b` | did you mean `a`?");
    assert!(found[2].starts_with("7:8 no backend is named `aa`"), "{}", found[2]);
}

#[test]
fn unknown_keys_are_placed_and_advised() {
    assert_eq!(
        faults("backends:\n  a:\n    kind: offline\n    modell: x\n"),
        ["4:5 unknown key `modell` | did you mean `model`?"]
    );
    let role = "backends: {a: {kind: offline}}\nroles:\n  x:\n    backend: a\n    temprature: 1\n";
    assert_eq!(faults(role), ["5:5 unknown key `temprature` | did you mean `temperature`?"]);
    let listed = "backends: {a: {kind: offline}}\nroles:\n  x:\n    - backend: a\n      sed: 1\n";
    assert_eq!(faults(listed), ["5:7 unknown key `sed` | did you mean `seed`?"]);
}

#[test]
fn numbers_out_of_range_are_faults() {
    for (settings, rule) in [
        ("rpm: 0", "`rpm` must be greater than 0"),
        ("concurrency: 0", "`concurrency` must be greater than 0"),
        ("max_attempts: 0", "`max_attempts` must be greater than 0"),
        ("timeouts: {idle: -1}", "`idle` must be greater than 0"),
        ("price: {input: -1, output: 1}", "`input` must be 0 or more"),
        ("max_wait: -1", "`max_wait` must be 0 or more"),
        ("temperature: 3", "`temperature` must be from 0 to 2"),
        ("max_tokens: 0", "`max_tokens` must be greater than 0"),
        ("top_p: 0", "`top_p` must be greater than 0"),
        ("tpm: -5", "`backends.b.tpm`"),
    ] {
        let found = backend_fault(settings);
        assert!(found.contains(rule), "{settings}: {found}");
    }
}

#[test]
fn addresses_hold_no_secrets_and_are_addresses() {
    for (settings, rule) in [
        ("base_url: nonsense", "is not a valid URL"),
        ("base_url: ftp://x/v1", "must begin with http"),
        ("base_url: \"http://me:pw@x/v1\"", "must not hold a user name"),
        ("base_url: \"http://x/v1?key=1\"", "must not have a `?`"),
        ("headers: {Authorization: Bearer x}", "does not belong into the configuration"),
    ] {
        let found = backend_fault(settings);
        assert!(found.contains(rule), "{settings}: {found}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let text = "backends:\n  a: {kind: openai}\n  b: {kind: script}\nlimits: {call_levels: 65}\n\
                budget: {usd: -5, calls: 3}\nroles: {x: []}\n";
    let found = faults(text);
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(found[0].contains("needs a `model`") && found[1].contains("needs a `file`"));
    assert!(found[2].contains("the role `x` has no backend"));
    assert!(found[3].starts_with("4:10 `call_levels` must be from 1 to 64"), "{}", found[3]);
    assert!(found[4].starts_with("5:10 `usd` must be 0 or more"), "{}", found[4]);
    assert_eq!(Config::parse("c", text).unwrap_err().message(), "a backend of kind `openai` needs a `model`");
}

#[test]
fn keys_in_the_file_are_refused_and_not_repeated() {
    for settings in [
        "api_key_env: sk-canary-1, rpm: 5",
        "api_key_env: AIzaCanary7",
        "api_key: \"sk-canary-1\", rpm: 5",
        "headers: {Authorization: Bearer sk-canary-1}, rpm: 5",
        "api_key_env: GOOD_ONE, headers: {x-api-key: sk-canary-1}",
    ] {
        let text = format!("backends:\n  b: {{kind: openai, model: m, {settings}}}\n");
        let found = Config::faults("c", &text);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert!(!format!("{found:?}").to_lowercase().contains("canary"), "{found:?}");
        let place = found[0].place().unwrap();
        assert_eq!(place.text.len(), text.lines().nth(1).unwrap().len());
        assert_eq!(place.text.contains("rpm: 5"), settings.contains("rpm: 5"));
        assert!(found[0].get_hint().is_some());
    }
    assert_eq!(backend_fault("api_key_env: my_key"), "");
}

#[test]
fn a_kind_that_needs_a_limit_has_one() {
    let text = "backends:\n  a: {kind: anthropic, model: m}\n  b: {kind: google, model: m}\n\
                roles: {usual: a, set: {backend: a, max_tokens: 9}, none: b}\n";
    let config = Config::parse("c", text).unwrap();
    for (role, limit) in [("usual", Some(4096)), ("set", Some(9)), ("none", None)] {
        assert_eq!(config.choices(role).unwrap()[0].params.max_tokens, limit, "{role}");
    }
}
