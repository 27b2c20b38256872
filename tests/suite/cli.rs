//! The command line: init, eval, settings, where things are printed, several scripts, exit codes.

use crate::support::{PIPELINE, Ran, TestProject};

fn eval(project: &TestProject, expression: &str) -> Ran {
    project.run_args(&["eval", expression])
}

#[test]
fn init_writes_a_project_that_works() {
    let place = TestProject::nothing();
    place.run("init mine").exits(0).prints("scripts/generate.rhai");
    for dir in ["config", "scripts"] {
        let of = |files: Vec<(String, Vec<u8>)>| files.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert!(of(place.files(&format!("mine/{dir}"))) == of(TestProject::shipped().files(dir)), "{dir}");
    }
    assert!(place.read("mine/.gitignore").contains(".env"));
    place.run(&format!("{PIPELINE} --project mine -s personas=3 -s turns=3")).exits(0);
    assert!(place.exists("mine/data/processed/training_data.jsonl"));
    assert!(!place.exists("data"));
}

#[test]
fn init_leaves_what_is_there() {
    let place = TestProject::of("");
    let before = place.files("");
    place.run("init").exits(2).says("already holds a project");
    assert!(place.files("") == before);
    let place = TestProject::nothing();
    place.write("scripts/generate.rhai", "mine");
    place.run("init").exits(2).says("scripts/generate.rhai").says("nothing was written");
    assert_eq!(place.files("").len(), 1);
}

#[test]
fn eval_prints_values() {
    let place = TestProject::nothing();
    let points = eval(&place, r#"get_slice_points(25, "transcript_7")"#).exits(0);
    assert_eq!(points.out, "[3, 7, 9, 11, 16, 21, 25]\n");
    assert_eq!(eval(&place, r#"let a = "b"; a + "c""#).exits(0).out, "bc\n");
    assert_eq!(
        place.run_args(&["eval", "--json", r#"#{b: (), a: [1, 1.0]}"#]).exits(0).out,
        "{\"a\":[1,1.0],\"b\":null}\n"
    );
    assert_eq!(eval(&place, "()").exits(0).out, "");
    assert!(place.files("").is_empty(), "nothing is left behind");
}

#[test]
fn eval_tells_mistakes() {
    let place = TestProject::nothing();
    eval(&place, "1 +").exits(2);
    assert_eq!(eval(&place, "throw \"no\"").exits(2).out, "");
    eval(&place, r#"read_text("missing.txt")"#).exits(2).says("missing.txt");
}

#[test]
fn the_project_may_be_elsewhere() {
    let (project, place) = (TestProject::of("print(\"here\");"), TestProject::nothing());
    let dir = project.root().to_str().unwrap();
    place.run_args(&["run", "scripts/main.rhai", "--project", dir]).exits(0).prints("here");
    let mut below = project.command(&["run", "scripts/main.rhai"]);
    below.current_dir(project.path("scripts"));
    Ran::of(below).exits(0).prints("here");
    place.run("run scripts/main.rhai").exits(2).says("fthost init");
    place.run_args(&["run", "x.rhai", "--project", "nowhere"]).exits(2).says("nowhere");
    project.run("run scripts/other.rhai").exits(2).says("scripts/other.rhai");
}

#[test]
fn settings_take_the_type_of_their_default() {
    let script = "print(setting(\"turns\", 12) + 1); print(setting(\"personas\", \"x\"));";
    let project = TestProject::of(script);
    assert!(project.main("-s turns=3 -s personas=7").exits(0).out.starts_with("4\n7\n"));
    assert!(project.main("").exits(0).out.starts_with("13\nx\n"));
    let typed = TestProject::of("print([setting(\"x\", 0.5) * 2, setting(\"on\", false)].to_string());");
    typed.main("-s x=2 -s on=true").exits(0).prints("[4.0, true]");
    typed.main("-s x=wide").exits(2).says("a number");
    typed.main("-s on=maybe").exits(2).says("true or false");
    project.main("-s turns=many").exits(2).says("turns").says("whole number");
    project.main("-s trun=3").exits(2).says("`trun`").says("turns");
    project.main("-s turns").exits(2).says("key=value");
}

#[test]
fn results_go_to_stdout_and_the_rest_to_stderr() {
    let project = TestProject::of("log_info(\"told\"); log_warn(\"warned\"); print(\"printed\");");
    let ran = project.main("").exits(0).says("told").says("warned").prints("printed");
    assert!(!ran.err.contains("printed") && !ran.out.contains("told") && !ran.out.contains("warned"));
    let quiet = project.main("-q").exits(0).prints("printed");
    assert_eq!(quiet.err, "");
}

#[test]
fn json_is_one_event_a_line() {
    let script = r#"print("hello"); process([#{id: "a"}, #{id: "b"}], #{}, |item| if item.id == "b" { throw "no" } else { #{} });"#;
    let ran = TestProject::of(script).main("--json").exits(1);
    let events = ran.events();
    let of = |kind: &str| events.iter().filter(|e| e["event"] == kind).collect::<Vec<_>>();
    assert_eq!(of("print")[0]["text"], "hello");
    assert_eq!(of("process")[0]["summary"]["failed"], 1);
    let failed = of("item").into_iter().find(|e| e["id"] == "b").unwrap();
    assert_eq!(failed["outcome"], "failed");
    assert_eq!(
        (&failed["error"]["file"], &failed["error"]["line"]),
        (&"scripts/main.rhai".into(), &1.into())
    );
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["exit"]), (&"end".into(), &1.into()));
}

#[test]
fn json_tells_a_mistake_too() {
    let ran = TestProject::of("let name = \"no\";\nread_text(`${name}.txt`);").main("--json").exits(2);
    let error = ran.events().into_iter().find(|e| e["event"] == "error").unwrap();
    assert_eq!((&error["kind"], &error["line"]), (&"not_found".into(), &2.into()));
}

#[test]
fn a_script_that_fails_stops_the_rest_and_failed_items_do_not() {
    let project = TestProject::of("print(\"one\"); throw \"a mistake\";");
    project.write("scripts/two.rhai", "print(\"two\");");
    let ran = project.run("run scripts/main.rhai scripts/two.rhai").exits(2).says("a mistake").prints("one");
    assert!(!ran.out.contains("two"));
    project.write("scripts/main.rhai", "process([#{id: \"a\"}], #{}, |item| throw \"no\");");
    project.run("run scripts/main.rhai scripts/two.rhai").exits(1).prints("two");
}

#[test]
fn all_scripts_are_loaded_before_the_first_runs() {
    let project = TestProject::of("print(\"one\");");
    project.write("scripts/two.rhai", "let x = ;");
    let ran = project.run("run scripts/main.rhai scripts/two.rhai").exits(2).says("scripts/two.rhai:1");
    assert!(!ran.out.contains("one"));
}

#[test]
fn mistakes_in_the_configuration_are_told_with_their_line() {
    let project = TestProject::of("print(\"ran\");");
    let config = project.read("config/fthost.yaml");
    let line = config.lines().position(|line| line.starts_with("roles:")).unwrap() + 1;
    project.write("config/fthost.yaml", &config.replace("\nroles:", "\nrolls:"));
    let ran = project.main("").exits(2).says("rolls").says(&format!("{line}"));
    assert_eq!(ran.out, "");
}

#[test]
fn usage_is_told_with_exit_code_2() {
    let project = TestProject::of("");
    project.run("frobnicate").exits(2);
    project.run("run").exits(2);
    project.main("--concurrency 0").exits(2);
    project.run("--help").exits(0).prints("init");
    project.run("--version").exits(0).prints(env!("CARGO_PKG_VERSION"));
}

#[test]
fn scripts_stay_inside_of_the_project() {
    let project = TestProject::of("");
    project.write(".env", "CANARY=sk-canary-77");
    let out_of_bounds = [
        "read_text(\".env\")",
        "read_text(\"data/../.env\")",
        "read_text(\"/etc/hostname\")",
        "read_text(\"../x\")",
        "write_text(\"scripts/x.rhai\", \"\")",
        "write_text(\"data/../../x\", \"\")",
        "import \"../../x\" as x;",
    ];
    for expression in out_of_bounds {
        let ran = eval(&project, expression).exits(2);
        assert!(!ran.err.contains("sk-canary") && ran.out.is_empty(), "{expression}");
    }
    assert_eq!(project.files("").len(), 3);
}

#[test]
fn a_script_that_is_not_there_is_guessed() {
    let project = TestProject::shipped();
    for named in ["scripts/genrate.rhai", "generate", "generate.rhai"] {
        project.run_args(&["run", named]).exits(2).says("did you mean `scripts/generate.rhai`?");
    }
}

#[test]
fn a_line_of_the_key_file_that_cannot_be_read_is_named_but_not_shown() {
    let project = TestProject::of("");
    for wrong in ["KEY sk-canary", "KEY: sk-canary", "KEY=\"sk-canary"] {
        project.write(".env", &format!("# keys\nOTHER=1\n{wrong}\nLAST=2\n"));
        let ran = project.run("run scripts/main.rhai").exits(2).says(".env: line 3 cannot be read");
        assert!(!ran.err.contains("canary"), "{}", ran.err);
    }
}

#[test]
fn steps_in_the_wrong_order_and_removed_files_are_told() {
    let project = TestProject::shipped();
    project.run("run scripts/assess.rhai").exits(0).prints("run scripts/generate.rhai first");
    project.run("run scripts/slice.rhai").exits(0).prints("nothing is judged yet");
    project.run(&format!("{PIPELINE} -s personas=2 -s turns=3")).exits(0);
    std::fs::remove_file(project.root().join("data/raw/transcripts/persona_0001.json")).unwrap();
    let again = project.run("run scripts/generate.rhai -s personas=2 -s turns=3").exits(0);
    again.prints("files of only 1 are there");
}
