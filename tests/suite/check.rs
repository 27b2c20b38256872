//! Mistakes and the reports that they get, as snapshots; and scripts without mistakes, which get none.

use std::fs;
use std::sync::Arc;

use fthost::author::check::{self, Finding, Severity};
use fthost::base::config::Config;
use fthost::base::events::Silent;
use fthost::base::{Error, report};
use fthost::host::{Session, embedded};
use fthost::store::Project;
use fthost::work::World;
use tempfile::TempDir;

const MAIN: &str = "scripts/main.rhai";

/// The shipped project, with some of its files replaced and added, and its scripts left out.
pub fn project(files: &[(&str, &str)]) -> (TempDir, Session) {
    let dir = tempfile::tempdir().unwrap();
    let shipped = embedded::PROJECT.iter().filter(|(path, _)| path.starts_with("config/"));
    for (path, text) in shipped.chain(files) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let project = Project::open(dir.path()).unwrap();
    let text = project.read_text("config/fthost.yaml").unwrap();
    let config = Config::parse("config/fthost.yaml", &text);
    let config = config.unwrap_or_else(|_| Config::parse("config/fthost.yaml", "backends: {}").unwrap());
    let world = World::new(project, config, Arc::new(Silent), Box::new(|_| None), "test");
    (dir, Session::new(world))
}

/// Modules that sound scripts import.
const MODULES: [(&str, &str); 2] = [
    ("scripts/handlers.rhai", "fn both(made) { made.start(1) + made.start(2) }\nfn twice(n) { n * 2 }"),
    ("scripts/chain.rhai", "import \"handlers\" as handlers;\nfn once(n) { handlers::twice(n) }"),
];

/// A script, with the modules if it imports them.
fn with_modules(script: &'static str) -> Vec<(&'static str, &'static str)> {
    let modules = MODULES.iter().filter(|_| script.contains("handlers")).copied();
    std::iter::once((MAIN, script)).chain(modules).collect()
}

pub fn rendered(findings: &[Finding]) -> String {
    let one = |finding: &Finding| match finding.severity {
        Severity::Error => report::render(&finding.error, false),
        Severity::Warning => report::warning(&finding.error, false),
    };
    findings.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// What `check` finds in a project with these files.
pub fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    let (_dir, session) = project(files);
    check::project(&session)
}

/// What `check` says of a project with these files.
fn checked(files: &[(&str, &str)]) -> String {
    let mut found = findings(files);
    // These scripts are not for use.
    found.retain(|finding| !finding.code.starts_with("unused-"));
    rendered(&found)
}

/// What running a script ends with, also one in which `check` would have found it.
fn ran(files: &[(&str, &str)]) -> String {
    let (_dir, session) = project(files);
    let error: Error = session.load(MAIN).and_then(|unit| session.run(&unit)).unwrap_err();
    report::render(&error, false)
}

/// All cases of one snapshot, each below its title.
fn all(cases: &[(&str, &[(&str, &str)])], report: fn(&[(&str, &str)]) -> String) -> String {
    let one = |(title, files): &(&str, &[(&str, &str)])| format!("## {title}\n{}", report(files));
    cases.iter().map(one).collect::<Vec<_>>().join("\n")
}

const HELPER: (&str, &str) = (
    "scripts/helper.rhai",
    "/// Doubles.\nfn double(n) { n * 2 }\nprivate fn hidden() { 1 }\nfn ratio(a, b) { a / b }\n",
);

#[test]
fn calls_that_cannot_work() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("unknown function", &[(MAIN, "let n = count_token(\"a b\");")]),
        ("unknown method", &[(MAIN, "let names = [\"a\"];\nnames.pusch(\"b\");")]),
        (
            "in a branch that never runs",
            &[(MAIN, "if false {\n    print(1);\n} else if 1 > 2 {\n    get_bakend(\"x\");\n}")],
        ),
        (
            "in a switch and an interpolation",
            &[(
                MAIN,
                "switch 1 {\n    1 => print(`${lenght(\"a\")}`),\n    2 if folse(3) => 4,\n    _ => oder(5),\n}",
            )],
        ),
        (
            "in an imported module",
            &[
                (MAIN, "import \"helper\" as helper;\nhelper::f();"),
                ("scripts/helper.rhai", "fn f() {\n    now_uct()\n}"),
            ],
        ),
        ("in a closure", &[(MAIN, "let n = 3;\nlet all = [1, 2].map(|x| squared(x) + n);")]),
        (
            "a function of a module",
            &[
                (
                    MAIN,
                    "import \"helper\" as helper;\nhelper::dubble(2);\nhelper::hidden();\nhelper::double(1, 2);",
                ),
                HELPER,
            ],
        ),
        (
            "a function of a shipped module",
            &[(MAIN, "import \"std/text\" as text;\ntext::qote(\"a b\");\ntext::percent(1);")],
        ),
        ("wrong number of arguments", &[(MAIN, "count_tokens();")]),
        ("wrong number of arguments of a method", &[(MAIN, "get_backend(\"user_sim\").complete();")]),
        ("perhaps a wrong number of arguments", &[(MAIN, "fn f(names) { names.push() }\nf([]);")]),
        ("wrong number of arguments of an own function", &[(MAIN, "fn add(a, b) { a + b }\nadd(1);")]),
        (
            "a property with parentheses",
            &[(MAIN, "print(get_backend(\"user_sim\").complete(\"Hi\").content());")],
        ),
        ("a variable called like a function", &[(MAIN, "let twice = |n| n * 2;\ntwice(3);")]),
        (
            "unknown option",
            &[(
                MAIN,
                "get_backend(\"user_sim\").complete(\"Hi\", #{max_token: 5});\nprocess([], #{chekpoint: \"data/x.jsonl\"}, |i| i);",
            )],
        ),
        (
            "the key of a setting",
            &[(MAIN, "let key = \"turns\";\nsetting(key, 12);\nsetting(`${key}s`, 12);")],
        ),
        (
            "unknown role",
            &[(
                MAIN,
                "get_backends(\"judge\");\nget_backend(\"gpt\");\nget_backend(\"openai\", #{model: \"m\"});",
            )],
        ),
        (
            "files that are not there",
            &[(MAIN, "render(\"config/prompts/user_simm.md\", #{});\nload_rubric(\"rubric.yaml\");")],
        ),
    ];
    insta::assert_snapshot!("calls", all(cases, checked));
}

#[test]
fn scripts_that_do_not_load() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("unknown variable", &[(MAIN, "let persona = #{};\nprint(perssona.id);")]),
        ("a top-level let in a function", &[(MAIN, "let limit = 3;\nfn f(x) {\n    x < limit\n}")]),
        ("missing import", &[(MAIN, "import \"helpers\" as helpers;"), HELPER]),
        ("missing shipped module", &[(MAIN, "import \"std/txt\" as text;")]),
        (
            "import cycle",
            &[
                (MAIN, "import \"a\" as a;"),
                ("scripts/a.rhai", "import \"b\" as b;"),
                ("scripts/b.rhai", "// b\nimport \"a\" as a;"),
            ],
        ),
        ("import that leaves the project", &[(MAIN, "import \"../secrets\" as s;")]),
        ("import without plain quotes", &[(MAIN, "let name = \"a\";\nimport name as n;")]),
        ("a module that is not imported", &[(MAIN, "fn f() {\n    helper::double(1)\n}"), HELPER]),
        ("a host function's name", &[(MAIN, "// mine\nfn flatten(x) { x }")]),
        ("reserved word", &[(MAIN, "let match = 1;")]),
        ("unbalanced brace", &[(MAIN, "fn f() {\n    if true {\n        1\n}\n")]),
        ("unterminated string", &[(MAIN, "print(\"hello);\n")]),
        ("missing semicolon", &[(MAIN, "let a = 1\nlet b = 2;")]),
        ("wrong characters", &[(MAIN, "let a = “x”;")]),
        ("a name that is not ASCII", &[(MAIN, "let größe = 1;")]),
        ("an assigned constant", &[(MAIN, "const A = 1;\nA = 2;")]),
        ("eval", &[(MAIN, "let a = eval(\"1\");")]),
        (
            "two scripts, each with its error",
            &[("scripts/a.rhai", "let = 1;"), (MAIN, "import \"a\" as a;\nnope();")],
        ),
    ];
    insta::assert_snapshot!("loading", all(cases, checked));
}

#[test]
fn habits_of_other_languages() {
    const SCRIPTS: &[&str] = &[
        "let x = None;",
        "let x = True;",
        "let x = 1;\nif x == 1 { print(1); } elif x == 2 { print(2); }",
        "let n = 1;\nprint(f\"turn {n}\");",
        "# a comment\nprint(1);",
        "let a = 'hello';",
        "let d = {\"a\": 1};",
        "let d = {a: 1};",
        "def f() { 1 }",
        "for i in range(3) { print(i); }",
        "for i in [1]: print(i)",
        "for k, v in #{a: 1} { print(k); }",
        "import helper",
        "from helper import double",
        "let a = 1;\nprint(a, a);",
        "let a = true;\nif a and !a { print(a); }",
        "let b = get_backend(\"assistant\");\nb.complete(\"hi\", max_tokens=3);",
        "x = 1;",
        "let y = 1;\nfn f() { y = 2; }",
        "let d = [x * 2 for x in [1, 2]];",
        "let d = [1, 2, 3];\nprint(d[1:]);",
        "print(\", \".join([\"a\"]));",
        "fn range(a, b, c, d, e) { a }\nrange(1);",
    ];
    let one = |script: &&'static str| format!("{}\n", checked(&[(MAIN, *script), HELPER]));
    insta::assert_snapshot!("habits", SCRIPTS.iter().map(one).collect::<String>());
}

#[test]
fn files_with_faults() {
    let rubric = embedded::PROJECT.iter().find(|(path, _)| *path == "config/rubric.yaml").unwrap().1;
    let light = rubric.replacen("weight: 0.25", "weight: 0.15", 1);
    assert_ne!(light, rubric);
    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "wrong type in YAML",
            &[("config/fthost.yaml", "backends:\n  a: {kind: offline, concurrency: many}\n")],
        ),
        (
            "unknown key, unknown backend",
            &[("config/fthost.yaml", "backends:\n  a: {kind: offlin}\nroles:\n  judges: [a, b]\n")],
        ),
        (
            "a script and a key that are not there",
            &[(
                "config/fthost.yaml",
                "backends:\n  a: {kind: script, file: scripts/stub.rhai}\n  b: {kind: openai, model: m}\n  c: {kind: openai, model: m, api_key_env: UNUSED}\nroles: {user_sim: a, judges: [b]}\n",
            )],
        ),
        ("weights", &[("config/rubric.yaml", &light)]),
        ("broken YAML", &[("config/taxonomy.yaml", "topics: [a, b\nedge: 1\n")]),
        ("tab", &[("config/taxonomy.yaml", "topics:\n\tedge: 1\n")]),
        ("indentation", &[("config/taxonomy.yaml", "topics:\n  a: 1\n b: 2\n")]),
        ("a colon in a text", &[("config/taxonomy.yaml", "topic: edge: 1\n")]),
        ("duplicate key", &[("config/taxonomy.yaml", "a: 1\nb: 2\na: 3\n")]),
        ("template", &[("config/prompts/system.md", "Be kind.\n{% if x %}\n")]),
    ];
    insta::assert_snapshot!("files", all(cases, checked));
}

#[test]
fn errors_of_a_run() {
    let small =
        "backends: {a: {kind: offline}}\nlimits: {operations: 1000, call_levels: 8, array_size: 10}\n";
    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "wrong types, over imports",
            &[
                (MAIN, "import \"prompts\" as prompts;\nlet p = #{id: \"a\"};\nprint(prompts::build(p));"),
                (
                    "scripts/prompts.rhai",
                    "import \"helper\" as helper;\nfn build(p) {\n    helper::ratio(p.id, 2)\n}",
                ),
                HELPER,
            ],
        ),
        (
            "division by zero in a nested function",
            &[(
                MAIN,
                "fn inner(n) {\n    10 / n\n}\nfn outer(n) {\n    let m = inner(n - 1);\n    m\n}\nouter(1);",
            )],
        ),
        (
            "in a closure of a host function, over an import",
            &[
                (
                    MAIN,
                    "import \"helper\" as helper;\nlet all = parallel_map([1, 0], |n| {\n    helper::ratio(1, n)\n});",
                ),
                HELPER,
            ],
        ),
        (
            "in a closure of an array's method",
            &[(MAIN, "fn f(n) { 1 % n }\nlet all = [1, 0].map(|n| f(n));")],
        ),
        (
            "text that is not ASCII before the place",
            &[(MAIN, "\tlet size = \"größer: 日本語\"; let x = size - 1;")],
        ),
        ("wrong types of a host function", &[(MAIN, "count_tokens(12, \"cl100k_base\");")]),
        ("wrong types of a method", &[(MAIN, "let names = [];\nnames.pad(\"x\", 1);")]),
        (
            "an unknown option that no check sees",
            &[(MAIN, "let options = #{lst: 3};\nformat_history([], options);")],
        ),
        ("thrown text", &[(MAIN, "fn f() {\n    throw \"no personas\";\n}\nf();")]),
        ("thrown map", &[(MAIN, "throw #{kind: \"no_personas\", message: \"there are none\"};")]),
        (
            "thrown again",
            &[(MAIN, "try {\n    read_text(\"config/gone.yaml\");\n} catch (e) {\n    throw e;\n}")],
        ),
        ("an endless loop", &[("config/fthost.yaml", small), (MAIN, "let n = 0;\nloop {\n    n += 1;\n}")]),
        ("endless recursion", &[("config/fthost.yaml", small), (MAIN, "fn f(n) { f(n + 1) }\nf(1);")]),
        (
            "a large array",
            &[("config/fthost.yaml", small), (MAIN, "let a = [];\nfor n in 0..20 { a.push(n); }")],
        ),
        ("a missing index", &[(MAIN, "let a = [1, 2];\nprint(a[2]);")]),
        ("a property of nothing", &[(MAIN, "let a = #{};\nprint(a.b.c);")]),
        ("a constant", &[(MAIN, "const A = [1];\nA.push(2);")]),
        (
            "a template's variable",
            &[
                (MAIN, "render(\"config/prompts/system.md\", #{nme: 1});"),
                ("config/prompts/system.md", "Be kind,\n{{ name }}!\n"),
            ],
        ),
        ("a condition that is no truth", &[(MAIN, "let a = 1;\nif a { print(a); }")]),
        ("a path that leaves the project", &[(MAIN, "read_text(\"../secrets\");")]),
        ("no file", &[(MAIN, "read_text(\"config/taxonomi.yaml\");")]),
        ("no backend", &[(MAIN, "let role = \"asistant\";\nget_backend(role);")]),
        (
            "at the top level of an import",
            &[(MAIN, "import \"bad\" as bad;\nprint(1);"), ("scripts/bad.rhai", "const A = [1][3];")],
        ),
    ];
    insta::assert_snapshot!("running", all(cases, ran));
}

/// Scripts that use the language widely, and are sound.
const SOUND: &[&str] = &[
    "print();\nlet f = |a, b| a + b;\nlet g = f.curry(1).curry();\nprint(g.call(2));\nprint(type_of(f));\nlet x = 1;\nlet both = || x;\nprint(is_shared(x) || x.is_shared());",
    "import \"handlers\" as handlers;\nlet made = #{start: |n| n + 1, stop: Fn(\"stop\")};\nfn stop(n) { n }\nprint(handlers::both(made));\nimport \"chain\" as chain;\nprint(chain::handlers::twice(2));",
    "fn add(a, b) { a + b }\nprint(add(1, 2));\nlet x = 1.add_one();\nfn add_one() { this + 1 }",
    "let f = |x| x * 2;\nprint(f.call(3));\nprint(call(f, 3));\nlet g = f.curry(1);\nlet h = curry(f, 1);",
    "let counter = #{count: 0, step: |n| this.count += n};\ncounter.step(2);\nprint(counter.count);",
    "let m = #{};\nm.greet = |name| `Hello ${name}!`;\nprint(m.greet(\"you\"));\nprint(m?.greet);\nprint(m?.nothing?.more ?? 1);",
    "let f = Fn(\"double\");\nfn double(n) { n * 2 }\nprint(f.call(2));\nprint(is_def_fn(\"double\", 1));\nprint(is_def_var(\"f\"));",
    "switch 3 { 1 | 2 => print(\"low\"), 3..=5 if true => print(\"mid\"), _ => { print(\"high\") } }",
    "fn int.squared() { this * this }\nprint(4.squared());\nfn string.shout() { this.to_upper() + \"!\" }\nprint(\"a\".shout());",
    "let a = [3, 1, 2];\na.sort(|x, y| x - y);\nprint(a.filter(|n| n > 1).map(|n| n + 1).reduce(|s, n| s + n, 0));\nprint(a.some(|n| n == 2) && 2 in a);",
    "let text = \"a,b\";\nlet parts = text.split(\",\");\nprint(parts.len() + parts.len);\nprint(text[0] == 'a');\nprint(text.sub_string(0, 1) + 'x');",
    "try { throw #{kind: \"mine\", message: \"m\"}; } catch (e) { print(e.kind); }\nlet v = if true { 1 } else { 2 };\nlet w = loop { break 5; };\nprint(v + w);",
    "for (item, index) in [\"a\", \"b\"] { print(`${index}: ${item}`); }\nfor n in range(0, 10, 2) { print(n); }\nfor c in \"abc\" { print(c); }\nlet n = 5;\nwhile n > 0 { n -= 1; if n == 2 { continue; } }\ndo { n += 1; } until n > 3;",
    "const LIMIT = 3;\nfn over(n) { n > global::LIMIT }\nprint(over(4));\nlet x = 0x1f + 0b11 + 1_000;\nlet y = x ** 2 % 7;\nprint(type_of(y) + x.type_of());\nprint(-x.abs());",
    "let b = get_backend(\"assistant\", #{temperature: 0.5});\nlet r = b.complete([#{role: \"user\", content: \"Hi\"}], #{system: \"s\", max_tokens: 50});\nprint(r.content + r.usage.input_tokens + b.name);",
    "let opts = #{concurrency: 4};\nlet out = parallel_map([1, 2], opts, |n| parallel_map([n], |k| k * n));\nprint(flatten(out));\nlet r = process([#{id: \"a\"}], #{checkpoint: \"data/x.jsonl\", version: |i| i.id}, |i| #{id: i.id});",
    "import \"std/text\" as text;\nlet words = [\"a b\"].map(|t| text::join([t], \"\"));\nlet r = rng(\"x\");\nprint(r.weighted_choice(#{a: 1.0}) + words[0]);\nprint(setting(\"turns\", 12));",
    "let now = timestamp();\nlet t = now.elapsed;\nlet b = blob(3, 1);\nprint(b.len());\nlet s = \"x\".repeat_it(3);\nfn repeat_it(n) { let out = \"\"; for i in 0..n { out += this; } out }\nlet big = 1.0.floor().to_int().max(3);",
    "let done = load_checkpoint(\"data/x.jsonl\");\nfor item in read_transcripts() { if item.id in done { continue; } print(item.id); }\nlet data = load_yaml(\"config/taxonomy.yaml\");\nprint(data.keys().len());\nsleep(0);\nlet o = get_backend(\"offline\");",
    "let json = `{\"a\": [1]}`;\nlet v = parse_json(json);\nprint(v.a[0]);\nlet back = v.to_json();\nlet m = #{a: 1} + #{b: 2};\nm.remove(\"a\");\nm.mixin(#{c: 3});\nprint(m.values().len() + m.contains(\"b\").to_string());",
];

#[test]
fn sound_scripts_get_no_finding() {
    for script in SOUND {
        let found = checked(&with_modules(script));
        assert!(found.is_empty(), "{script}\n{found}");
    }
}

/// What is sound for `check` must not fail for a name or a number of arguments when it runs.
#[test]
fn sound_scripts_run() {
    for script in SOUND {
        let (_dir, session) = project(&with_modules(script));
        let result = session.load(MAIN).and_then(|unit| session.run(&unit));
        assert!(result.is_ok(), "{script}\n{}", report::render(&result.unwrap_err(), false));
    }
}

#[test]
fn the_shipped_project_and_modules_are_sound() {
    let found = checked(embedded::PROJECT);
    assert!(found.is_empty(), "{found}");
    let (_dir, session) = project(&[]);
    for (path, _) in embedded::STDLIB {
        let found = rendered(&check::shipped_module(&session, path).unwrap());
        assert!(found.is_empty(), "{path}\n{found}");
    }
}

#[test]
fn settings_are_found_in_all_that_is_imported() {
    let (_dir, session) = project(embedded::PROJECT);
    session.load("scripts/generate.rhai").unwrap();
    let units = session.engine.library().reachable("scripts/generate.rhai");
    assert_eq!(check::settings_read(&units), ["concurrency", "personas", "sampling", "seed", "turns"]);
}
