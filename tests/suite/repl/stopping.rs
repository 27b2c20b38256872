//! Ctrl-C, Ctrl-D and SIGTERM.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::screen::Terminal;
use crate::support::{TestProject, until};
use fault_server::{Answer, ModelServer};

/// How long a stop may take; the promise is 100 ms, the rest is for a machine that has other work.
const SOON: Duration = Duration::from_secs(2);

/// Presses Ctrl-C and waits for the prompt.
#[track_caller]
fn stops(terminal: &mut Terminal, next: usize) {
    let start = Instant::now();
    terminal.press("\x03");
    terminal.prompt(next);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    terminal.shows("interrupted");
}

#[test]
fn ctrl_c_stops_a_loop_and_keeps_the_session() {
    let project = TestProject::of("");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.entry(1, "let kept = 5; fn f() { 6 }");
    terminal.enter("kept = 7; print(\"begun\"); loop { }");
    terminal.last_line("begun");
    stops(&mut terminal, 3);
    terminal.entry(3, "[kept, f()]");
    terminal.shows("\n[7, 6]\n");
    terminal.enter("print(\"again\"); sleep(1000)");
    terminal.last_line("again");
    stops(&mut terminal, 5);
    terminal.entry(5, "parallel_map(1..3, |n| n + kept)");
    terminal.shows("\n[8, 9]\n");
    terminal.leave();
}

#[test]
fn ctrl_c_gives_up_a_call_and_the_next_one_works() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Hang);
    let project = TestProject::live(&server, "");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.entry(1, "let b = get_backend(\"assistant\");");
    terminal.enter("b.complete(\"hello\").content");
    until("the call", || server.requests().len() == 1);
    stops(&mut terminal, 3);
    terminal.enter("parallel_map(1..=3, |n| b.complete(`${n}`).content)");
    until("the calls", || server.requests().len() == 4);
    stops(&mut terminal, 4);
    server.set_rule(|_| Answer::Usual);
    terminal.entry(4, "b.complete(\"hello\").content.len > 0");
    terminal.shows("\ntrue\n");
    terminal.enter(":cost");
    terminal.shows("4 requests of unknown cost");
    terminal.prompt(5);
    terminal.leave();
    assert_eq!(project.ledger("SELECT count(*) AS n FROM replies WHERE outcome = 'ok'")[0]["n"], 1);
}

#[test]
fn ctrl_c_ends_a_wait_for_a_rate_limit() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::status(429).header("retry-after", "300"));
    let project = TestProject::live(&server, "");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.enter("get_backend(\"assistant\").complete(\"hello\").content");
    terminal.shows("waiting until");
    stops(&mut terminal, 2);
    terminal.leave();
}

#[test]
fn ctrl_c_ends_a_job_which_goes_on_later_and_its_checkpoint_is_free() {
    let server = ModelServer::start();
    server.set_rule(|_| Answer::Hang);
    let job = "process([#{id: \"a\"}], #{checkpoint: \"data/c.jsonl\"}, |i| #{text: get_backend(\"assistant\").complete(i.id).content})";
    let project = TestProject::live(&server, &format!("{job};"));
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.enter(job);
    until("the call", || server.requests().len() == 1);
    stops(&mut terminal, 2);
    server.set_rule(|_| Answer::Usual);
    terminal.enter(&format!("{job}.completed"));
    terminal.shows("\n1\n");
    terminal.prompt(3);
    project.main("").exits(0);
    terminal.leave();
}

#[test]
fn ctrl_c_at_the_prompt_clears_the_line() {
    let project = TestProject::of("");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.press("let x = 1; thr");
    terminal.shows("thr");
    terminal.press("\x03");
    terminal.prompt(1);
    terminal.enter("fn f() {");
    terminal.last_line("1> fn f() {");
    terminal.press("\x03");
    terminal.prompt(1);
    terminal.entry(1, "40 + 2");
    terminal.shows("\n42\n");
    terminal.leave();
}

#[test]
fn quit_leaves_as_ctrl_d_does() {
    let project = TestProject::of("");
    for word in [":quit", ":q", "exit()", "quit"] {
        let mut terminal = Terminal::repl(&project, &[]);
        terminal.enter(word);
        assert_eq!(terminal.ends(), 0, "{word}");
    }
}

fn terminate(pid: u32) {
    assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn sigterm_ends_it_cleanly() {
    let server = ModelServer::start();
    let project = TestProject::live(&server, "");
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.entry(1, "let b = get_backend(\"assistant\"); b.complete(\"hello\").content.len > 0");
    terminate(terminal.pid());
    assert_eq!(terminal.ends(), 130);
    assert_eq!(project.ledger("SELECT count(*) AS n FROM replies")[0]["n"], 1);
    assert!(!project.exists(".fthost/ledger.sqlite-wal"), "the ledger is closed");
    server.set_rule(|_| Answer::Hang);
    let mut terminal = Terminal::repl(&project, &[]);
    terminal.enter("get_backend(\"assistant\").complete(\"hello\")");
    until("the call", || server.requests().len() == 2);
    terminate(terminal.pid());
    assert_eq!(terminal.ends(), 130);
}

#[test]
fn ctrl_c_ends_entries_from_a_pipe() {
    let project = TestProject::of("");
    let mut command = project.command(&["repl"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut repl = command.spawn().unwrap();
    let mut input = repl.stdin.take().unwrap();
    let mut output = BufReader::new(repl.stdout.take().unwrap()).lines();
    input.write_all(b"print(\"begun\"); sleep(1000)\nprint(\"next\")\n").unwrap();
    assert_eq!(output.next().unwrap().unwrap(), "begun");
    assert!(Command::new("kill").args(["-INT", &repl.id().to_string()]).status().unwrap().success());
    assert!(output.next().is_none(), "what follows is not done");
    assert_eq!(repl.wait().unwrap().code(), Some(130));
}
