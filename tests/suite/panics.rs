//! A panic, which is a mistake of the program itself, fails what it happened in and nothing else. Here the world's
//! clock is broken: `now_utc()` panics wherever a script calls it.

use std::sync::Arc;

use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::base::{Error, Kind};
use fthost::host::Session;
use fthost::store::{Checkpoint, Mode, Project};
use fthost::work::World;

use crate::process::three;
use crate::support::{TestProject, live_config};
use fault_server::ModelServer;

const CKPT: &str = "data/c.jsonl";

/// The project opened in this process, with the broken clock.
fn session(project: &TestProject) -> Session {
    let config = Config::parse("c", &project.read("config/fthost.yaml")).unwrap();
    let opened = Project::open(project.root()).unwrap();
    let mut world = World::new(opened, config, Arc::new(Silent), Box::new(|_| None), "test");
    world.clock = Box::new(|| panic!("the clock is broken"));
    Session::new(world)
}

/// Runs `scripts/main.rhai`, and lets go of its checkpoints whatever comes.
fn run(project: &TestProject) -> Result<(), Error> {
    let session = session(project);
    let unit = session.load("scripts/main.rhai").unwrap();
    let result = session.run(&unit);
    session.world.close();
    let mine = Project::open(project.root()).unwrap();
    assert!(Checkpoint::open(&mine, CKPT, Mode::Run).is_ok(), "nobody holds it any more");
    result
}

#[track_caller]
fn is_ours(error: &Error) {
    assert_eq!(error.kind(), Kind::Internal);
    assert!(error.message().starts_with("fthost made a mistake in "), "{error}");
    assert!(error.message().ends_with(": the clock is broken") && error.get_hint().is_some(), "{error}");
}

/// Item `b` fails, `a` and `c` are done.
#[track_caller]
fn fails_b_alone(project: &TestProject, words: &str) {
    run(project).unwrap();
    assert_eq!(project.ids(CKPT), ["a", "c"]);
    let failed = project.lines("data/c.failed.jsonl");
    assert_eq!((failed.len(), &failed[0]["id"], &failed[0]["kind"]), (1, &"b".into(), &"internal".into()));
    assert!(failed[0]["message"].as_str().unwrap().contains(words), "{}", failed[0]);
}

#[test]
fn in_an_item() {
    let wrong = "if item.id == \"b\" { now_utc(); } #{}";
    fails_b_alone(&TestProject::of(&three(wrong)), "the clock is broken");
    let caught = "try { if item.id == \"b\" { now_utc(); } } catch { } #{}";
    fails_b_alone(&TestProject::of(&three(caught)), "the clock is broken");
}

#[test]
fn in_an_element_of_a_parallel_map() {
    let wrong = "#{all: parallel_map([1, 2, 3], |n| if item.id == \"b\" && n == 2 { now_utc() } else { n })}";
    fails_b_alone(&TestProject::of(&three(wrong)), "the clock is broken");
    let outside = "let seen = [];\nparallel_map([1, 2, 3], |n| if n == 2 { now_utc() } else { append_checkpoint(\"data/c.jsonl\", #{id: `i${n}`}) });";
    let project = TestProject::of(outside);
    is_ours(&run(&project).unwrap_err());
    assert_eq!(project.ids(CKPT), ["i1", "i3"], "the others come to their end");
}

#[test]
fn on_top_and_in_a_version() {
    is_ours(
        &run(&TestProject::of("append_checkpoint(\"data/c.jsonl\", #{id: \"a\"});\nnow_utc();")).unwrap_err(),
    );
    let version = three("#{}").replace("jsonl\"}", "jsonl\", version: |item| now_utc()}");
    let project = TestProject::of(&version);
    is_ours(&run(&project).unwrap_err());
    assert!(project.ids(CKPT).is_empty(), "nothing has begun");
}

#[test]
fn in_an_expression() {
    let session = session(&TestProject::of(""));
    let unit = session.load_expression("now_utc()").unwrap();
    is_ours(&session.eval(&unit).unwrap_err());
}

#[test]
fn in_a_backend_that_is_a_script() {
    let config = "backends:\n  stub: {kind: script, file: scripts/stub.rhai}\nroles: {assistant: stub}\n";
    let ask = three("#{said: get_backend(\"assistant\").complete(item.id).content}");
    let project = TestProject::of_config(&ask, config);
    let stub =
        "fn complete(request) { if request.messages[0].content == \"b\" { now_utc() } else { \"well\" } }";
    project.write("scripts/stub.rhai", stub);
    fails_b_alone(&project, "the clock is broken");
}

/// Its functions run on threads of the runtime. With one request at a time, nobody may go on holding the place.
#[test]
fn in_an_adapter() {
    let server = ModelServer::start();
    let sound =
        "#{path: \"/api/chat\", body: #{model: request.model, messages: request.messages, stream: false}}";
    let read = "#{content: body.message.content}";
    let to = format!("if request.messages[0].content == \"b\" {{ now_utc() }} else {{ {sound} }}");
    let from = format!("if body.message.content.contains(\"really b\") {{ now_utc() }} else {{ {read} }}");
    for (to, from) in [(to.as_str(), read), (sound, from.as_str())] {
        server.set_rule(|request| match request.logical().messages[0].content.as_str() {
            "b" => fault_server::Answer::Text("really b".into()),
            _ => fault_server::Answer::Usual,
        });
        let config = live_config("adapter", &server.origin(), "file: adapters/own.rhai, concurrency: 1");
        let ask = three("#{said: get_backend(\"assistant\").complete(item.id).content}");
        let project = TestProject::of_config(&ask, &config);
        let adapter = format!("fn to_http(request) {{ {to} }}\nfn from_http(status, body) {{ {from} }}");
        project.write("adapters/own.rhai", &adapter);
        fails_b_alone(&project, "");
    }
}

/// Rhai keeps constants behind one lock, and panics when it is not to be had within 50 ms. Here reading one takes long, as it does
/// on a busy machine.
#[test]
fn constants_are_read_by_many_at_a_time() {
    let project = TestProject::shipped();
    let module = "const BIG = make();\nfn make() { let words = []; words.pad(200000, \"x\"); words }\nfn size() { global::BIG.len() }\n";
    project.write("scripts/big.rhai", module);
    let main = "import \"big\" as big;\nconst OWN = big::make();\nfn own() { global::OWN.len() }\nlet sizes = parallel_map(1..=40, #{concurrency: 32}, |n| big::size() + own());\nprint(sizes == sizes.map(|size| 400000));\n";
    project.write("scripts/main.rhai", main);
    project.run("run scripts/main.rhai").exits(0).prints("true");
}
