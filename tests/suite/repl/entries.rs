//! What survives of an entry, how values are shown, what the commands say.

use super::pipe::repl;
use crate::support::{Ran, TestProject};
use fault_server::ModelServer;

fn run(lines: &str) -> Ran {
    repl(&TestProject::shipped(), &[], lines)
}

#[test]
fn functions_constants_and_imports_last() {
    let lines = "import \"std/text\" as t;\n\
        const WIDTH = 3;\n\
        fn padded(x) { t::padded(x, global::WIDTH) + \"|\" }\n\
        let x = \"a\";\n\
        padded(x)\n\
        parallel_map([\"b\", \"c\"], |s| padded(s) + x + global::WIDTH)\n\
        process([#{id: \"d\"}], #{checkpoint: \"data/c.jsonl\"}, |i| #{id: i.id, text: padded(i.id)}).completed\n\
        load_checkpoint_results(\"data/c.jsonl\").d.text";
    let ran = run(lines).exits(0);
    assert_eq!(ran.out, "\"a  |\"\n[\"b  |a3\", \"c  |a3\"]\n1\n\"d  |\"\n");
}

#[test]
fn what_is_defined_again_holds() {
    let lines = "fn f() { 1 }\nfn g() { f() }\nconst K = 1;\nlet x = 1;\nfn f() { 2 }\nconst K = 2;\nlet x = \"two\";\n\
        fn k() { global::K }\n[f(), g(), k(), x]";
    assert_eq!(run(lines).exits(0).out, "[2, 2, 2, \"two\"]\n");
}

#[test]
fn a_failed_entry_leaves_what_was_there() {
    let lines = "let x = [1];\nfn f() { 1 }\nlet y = 2; x.push(2); throw \"no\"; x.push(3);\nx = 5; unknown()\n[x, y, f()]";
    let ran = run(lines).exits(2).says("unknown function `unknown`");
    assert_eq!(ran.out, "[[1, 2], 2, 1]\n", "a mistake is found before anything of the entry runs");
}

#[test]
fn errors_show_the_line_of_the_entry_that_they_are_in() {
    let lines = "let a = 1;\nfn bad(x) {\n  x.y.z\n}\n1;\nfn outer(x) { bad(x) }\nlet c = |v| v.q.r;\n2;\nouter(1)\nc.call(1)\n\
        parallel_map([1], |v| bad(v))";
    let ran = run(lines).exits(2);
    let report = "error: a value of type int has no `y`\n --> entry 2:2:5\n  |\n2 |   x.y.z\n  |     ^\n";
    assert_eq!(ran.err.matches(report).count(), 2, "{}", ran.err);
    assert!(ran.err.contains("in `bad`, called at entry 4:1:15"), "{}", ran.err);
    assert!(ran.err.contains("in `outer`, called at entry 7:1:1"), "{}", ran.err);
    assert!(ran.err.contains("--> entry 5:1:15"), "{}", ran.err);
}

#[test]
fn functions_see_no_variables_and_are_told_so() {
    let ran = run(
        "let x = 1;\nfn f() { x }\nconst K = 2;\nfn g() { K }\nlet b = 1;\nfn h(a) { let b = a; let c = |n| n + b; c.call(1) }\nh(4)",
    );
    let ran = ran.exits(2).says("pass `x` as a parameter").says("write `global::K`");
    assert_eq!(ran.out, "5\n");
}

#[test]
fn mistakes_are_told_as_a_run_would() {
    run("count_token(\"a\")").exits(2).says("did you mean `count_tokens`?").says("1 | count_token(\"a\")");
    run("import \"promts\" as p;").exits(2).says("promts");
    run("import \"std/text\" as t;\nt::paded(\"a\", 1)").exits(2).says("did you mean `padded`?");
    run("process([], #{chekpoint: 1}, |x| x)").exits(2).says("chekpoint");
    run("fn count_tokens(x) { x }").exits(2).says("is a host function");
    run("p::f()").exits(2).says("unknown module `p`");
}

#[test]
fn large_values_are_folded_and_shown_whole_on_demand() {
    let lines = "let a = []; a.pad(100000, 7); a\nlet s = \"\"; s.pad(1000000, \"word \"); s\n:full\n[1, [2, #{a: \"b\"}], ()]";
    let ran = run(lines).exits(0);
    let shown: Vec<&str> = ran.out.lines().collect();
    assert_eq!(shown[0], "[7, 7, 7, 7, 7, 7, 7, 7, ... 99,992 more (:full shows all)]");
    assert!(shown[1].len() < 2000 && shown[1].contains("1,000,000 characters"), "{}", shown[1]);
    assert_eq!(shown[2].len(), 1_000_000);
    assert_eq!(shown[3], "[1, [2, #{a: \"b\"}], ()]");
}

#[test]
fn help_knows_functions_of_the_host_of_modules_and_of_ones_own() {
    let lines = "/// Doubles a number.\n/// ```rhai\n/// double(2)   // -> 4\n/// ```\nfn double(n) { n * 2 }\n\
        import \"std/text\" as t;\n:help double\n:help count_tokens\n:help t::padded\n:help std/rubric\n:help push\n:help t\n:help Backend.model\n:help";
    let ran = run(lines).exits(0);
    for expected in [
        "fn double(n)\nentry 1:5\n\nDoubles a number.\n\n  double(2)   // -> 4",
        "count_tokens(text: string) -> int",
        "fn t::padded(value, width)\nstd/text:",
        "std/rubric",
        "array.push(",
        "fn quote(value)",
        "Backend.model -> string",
        ":reload",
    ] {
        assert!(ran.out.contains(expected), "no {expected:?} in\n{}", ran.out);
    }
    run(":help count_token").exits(2).says("did you mean `count_tokens`?");
    run(":hepl").exits(2).says("did you mean `:help`?");
}

#[test]
fn commands_say_what_there_is() {
    let lines = "let x = [1, 2];\nconst K = \"k\";\nfn f(a, b) { a }\nimport \"std/text\" as t;\n:vars\n:type x\n:type 1.5\n:time f(7, 8)\n:reset\n:vars\n:ty x";
    let ran = run(lines).exits(2).says("it took").says("unknown variable `x`");
    let expected = "let   x  array: [1, 2]\nconst K  string: \"k\"\nfn f(a, b)  (entry 3)\nimport \"std/text\" as t\narray\nfloat\n7\nnothing yet\n";
    assert_eq!(ran.out, expected);
}

#[test]
fn cost_is_what_was_spent_here() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, "");
    let ask = "get_backend(\"assistant\").complete(\"hello\").content.len > 0";
    let ran = repl(&project, &["--max-calls", "2"], &format!(":cost\n{ask}\n{ask}\n:cost\n{ask}")).exits(2);
    let begun = "spent 0 calls of 2 calls (--max-calls)\nno calls\ntrue\ntrue\nlive  2 calls";
    assert!(ran.out.starts_with(begun), "{}", ran.out);
    assert!(ran.out.contains("spent 2 calls of 2 calls"), "{}", ran.out);
    assert_eq!(server.requests().len(), 2, "a cap holds: {}", ran.err);
    assert_eq!(project.ledger("SELECT count(*) AS n FROM replies")[0]["n"], 2);
}

#[test]
fn the_same_entry_finds_its_records_in_another_session() {
    let project = TestProject::shipped();
    let lines = "fn record(i) { #{id: i.id, n: 1} }\n\
        process([#{id: \"a\"}], #{checkpoint: \"data/c.jsonl\"}, |i| record(i)).skipped";
    assert_eq!(repl(&project, &[], lines).exits(0).out, "0\n");
    assert_eq!(repl(&project, &[], &format!("let other = 1;\n{lines}")).exits(0).out, "1\n");
    let changed = lines.replace("n: 1", "n: 2");
    let ran = repl(&project, &[], &changed.replace(".skipped", ".stale")).exits(0);
    assert_eq!(ran.out, "1\n", "another function makes the records stale");
}

#[test]
fn failed_items_are_told() {
    let lines = "process([#{id: \"a\"}, #{id: \"b\"}], #{checkpoint: \"data/c.jsonl\"}, |i| if i.id == \"b\" { throw \"no b\" } else { #{} }).failed";
    let ran = run(lines).exits(2).says("1 item failed: b").says("no b");
    assert_eq!(ran.out, "1\n");
}
