//! At the prompt: several lines, completion, hints, colours, history.

use super::screen::Terminal;
use crate::support::TestProject;

#[test]
fn an_entry_of_several_lines() {
    let project = TestProject::of("");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.enter("fn add(a, b) {");
    terminal.enter("  a + b");
    terminal.entry(1, "}");
    terminal.entry(2, "add(1, 2)");
    terminal.shows("\n3\n");
    // A mistake is told at once, whatever is still open.
    terminal.enter("add(1 2");
    terminal.shows("entry 3:1:7");
    terminal.prompt(4);
    terminal.leave();
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let project = TestProject::of("");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.press("1 + 41\rsleep(0.2)\r2 + 41\r");
    terminal.last_line("4>");
    terminal.shows("\n42\n");
    terminal.shows("\n43\n");
    terminal.press("sleep(0.3)\r");
    terminal.press("3 + 41\r");
    terminal.last_line("6>");
    terminal.shows("\n44\n");
    terminal.leave();
}

#[test]
fn tab_completes() {
    let project = TestProject::shipped();
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.entry(1, "let backend = get_backend(\"assistant\"); let map = #{kind_of_key: 1};");
    let completions = [
        ("count_tok\t", "count_tokens("),
        ("map.kind\t", "map.kind_of_key"),
        ("backend.complete_s\t", "backend.complete_structured("),
        ("import \"std/te\t", "import \"std/text"),
        ("get_backend(\"user_\t", "get_backend(\"user_sim"),
        ("read_text(\"config/taxo\t", "read_text(\"config/taxonomy.yaml"),
        ("process([], #{chec\t", "process([], #{checkpoint: "),
        ("setting(\"pers\t", "setting(\"personas"),
        (":rel\t", ":reload"),
        (":load scripts/gen\t", ":load scripts/generate.rhai"),
        ("bac\t.na\t", "backend.name"),
        ("\"a\".to_up\t", "\"a\".to_upper("),
    ];
    for (keys, expected) in completions {
        terminal.press(keys);
        terminal.shows(&format!("2> {}", expected.trim_end()));
        terminal.press("\x03");
        terminal.prompt(2);
        terminal.clear();
    }
    // Of several it lists all.
    terminal.press("backend.\t");
    terminal.shows("Backend.complete(prompt");
    terminal.shows("Backend.model");
    terminal.press("\x03");
    terminal.prompt(2);
    terminal.entry(2, "import \"prompts\" as p;");
    terminal.press("p::build_us\t");
    terminal.shows("3> p::build_user_prompt(");
    terminal.press("\x03");
}

#[test]
fn parameters_are_shown_while_typing() {
    let project = TestProject::of("");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.press("count_tokens(");
    terminal.shows("count_tokens(text: string)");
    terminal.press("\"a\"");
    terminal.shows("count_tokens(\"a\", encoding: string)");
    terminal.press(")\r");
    terminal.shows("\n1\n");
    terminal.prompt(2);
    terminal.entry(2, "fn mine(first, second) { second }");
    terminal.press("mine(1,");
    terminal.shows("mine(1, second)");
    terminal.press(" 2)\r");
    terminal.shows("\n2\n");
    terminal.leave();
}

#[test]
fn colours_where_they_are_wanted() {
    let project = TestProject::of("");
    let mut terminal = Terminal::start(&project, &[], &[]);
    terminal.prompt(1);
    terminal.press("let x = \"text\"");
    terminal.shows("let x");
    terminal.until("colours", |_| terminal.coloured().contains("\x1b[35mlet"));
    let mut plain = Terminal::repl(&project, &[]);
    plain.press("let x = \"text\"");
    plain.shows("let x = \"text\"");
    assert!(!plain.coloured().contains("\x1b[35m"));
}

#[test]
fn entries_are_kept_for_the_next_session_and_keys_are_not() {
    let project = TestProject::of("");
    project.write(".env", "MY_KEY=\"plainkeyvalue\"\nexport OTHER=othervalue\n");
    project.edit(
        "config/fthost.yaml",
        "backends:",
        "backends:\n  mine: {kind: openai, model: m, api_key_env: MY_KEY}",
    );
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.entry(1, "1 + 41");
    terminal.enter("fn f() {");
    terminal.entry(2, "7 }");
    terminal.entry(3, "\"sk-proj-abcdefghijklmnopqrstuv\".len");
    terminal.shows("not kept in the history");
    terminal.entry(4, "\"plainkeyvalue\".len");
    terminal.entry(5, "\"an othervalue\".len");
    terminal.leave();
    let history = project.read(".fthost/repl_history");
    assert_eq!(history, "1 + 41\nfn f() {\\n7 }\n");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.press("\x1b[A");
    terminal.shows("7 }");
    terminal.press("\r");
    terminal.prompt(2);
    terminal.entry(2, "f()");
    terminal.shows("\n7\n");
    // One of the four goes up within the entry of two lines.
    terminal.press("\x1b[A\x1b[A\x1b[A\x1b[A");
    terminal.shows("3> 1 + 41");
    terminal.press("\r");
    terminal.shows("\n42\n");
    terminal.leave();
}

#[test]
fn without_a_project_nothing_is_kept() {
    let place = TestProject::nothing();
    let mut terminal = Terminal::repl(&place, &[]);
    terminal.shows("no project here");
    terminal.entry(1, "1 + 41");
    terminal.leave();
    assert!(place.files("").is_empty());
}

#[test]
fn edited_modules_are_seen_after_a_reload() {
    let project = TestProject::of("fn here() { 1 }\nprint(\"ran\");");
    project.write("scripts/inner.rhai", "fn n() { 1 }");
    project.write("scripts/outer.rhai", "import \"inner\" as inner;\nfn n() { inner::n() }");
    let mut terminal = Terminal::repl(&project, &["scripts/main.rhai"]);
    terminal.entry(1, "import \"outer\" as o; fn f() { [o::n(), here()] }");
    terminal.entry(2, "f()");
    terminal.shows("\n[1, 1]\n");
    project.write("scripts/inner.rhai", "fn n() { 22 }");
    project.write("scripts/main.rhai", "fn here() { 33 }\nprint(\"ran\");");
    terminal.enter(":reload");
    terminal.shows("scripts/inner.rhai is new");
    terminal.shows("scripts/main.rhai is new (its functions; `:load` runs it again)");
    terminal.prompt(3);
    terminal.entry(3, "f()");
    terminal.shows("\n[22, 33]\n");
    assert_eq!(terminal.text().matches("ran").count(), 1);
    // What is broken stays as it was.
    project.write("scripts/inner.rhai", "fn n() { unknown(1) }");
    terminal.enter(":reload");
    terminal.shows("these stay as they were before");
    terminal.shows("unknown function `unknown`");
    terminal.prompt(4);
    project.write("scripts/inner.rhai", "fn n() { 1 +");
    project.write("scripts/outer.rhai", "import \"inner\" as inner;\nfn n() { inner::n() + 1 }");
    terminal.clear();
    terminal.enter(":reload");
    terminal.shows("scripts/inner.rhai:1:13");
    terminal.shows("scripts/outer.rhai is new");
    terminal.prompt(4);
    terminal.entry(4, "f()");
    terminal.shows("\n[23, 33]\n");
    // Who imports a module once more means it as it stands there.
    terminal.enter("import \"inner\" as i;");
    terminal.shows("script is incomplete");
    terminal.prompt(6);
    project.write("scripts/inner.rhai", "fn n() { 44 }");
    terminal.entry(6, "import \"inner\" as i;");
    terminal.entry(7, "[i::n(), f()]");
    terminal.shows("\n[44, [45, 33]]\n");
    terminal.leave();
}
