//! The documents say what is so: their scripts and commands run, what they show is what comes out,
//! and their links lead somewhere. `docs/host-api.md` and `docs/check.md` are generated, and tested with the code.
//!
//! Of each document, by the word behind the fence:
//! - `sh`: run in order by `bash -e`, all in one new project; `sh ignore` is not;
//! - `text` behind an `sh` block: its lines are in what that block printed (`...` stands for others);
//! - `rhai`: a whole script, run in a new project; `rhai PATH`: an excerpt of that shipped file;
//!   `rhai test`: a test file, whose tests pass in a new project;
//!   `rhai recipe PATH`: functions in place of those of the same names there, in a new project that then works;
//! - `sql`: gives rows, asked of a real ledger;
//! - `yaml PATH`: in place of that file of a new project, `fthost check` finds no mistake.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BIN: &str = env!("CARGO_BIN_EXE_fthost");

struct Block {
    /// `README.md:17`.
    place: String,
    words: Vec<String>,
    text: String,
}

impl Block {
    fn is(&self, words: &[&str]) -> bool {
        self.words == words
    }

    /// The path behind `rhai` or `yaml`.
    fn path(&self, language: &str) -> Option<&str> {
        match self.words.as_slice() {
            [first, path] if first == language && path != "test" => Some(path),
            _ => None,
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document with its text.
fn documents() -> Vec<(String, String)> {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(String::from);
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let docs = docs.map(|name| format!("docs/{}", name.into_string().unwrap()));
    let mut paths: Vec<String> =
        top.into_iter()
            .chain(docs.filter(|path| {
                path.ends_with(".md") && path != "docs/host-api.md" && path != "docs/check.md"
            }))
            .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(root().join(path)).unwrap()))
        .collect()
}

fn blocks(document: &str, text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (i, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => {
                let words = info.split_whitespace().map(String::from).collect();
                found.push(Block { place: format!("{document}:{}", i + 1), words, text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => found.last_mut().unwrap().text.push_str(&format!("{line}\n")),
            (None, false) => {}
        }
    }
    assert!(!open, "{document}: a code block does not end");
    found
}

fn all_blocks() -> Vec<Block> {
    documents().iter().flat_map(|(path, text)| blocks(path, text)).collect()
}

fn new_project() -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    let made = Command::new(BIN).arg("init").arg(project.path()).output().unwrap();
    assert!(made.status.success());
    project
}

fn fthost(project: &Path, arguments: &[&str]) -> Output {
    Command::new(BIN).args(arguments).current_dir(project).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_command_runs_and_prints_what_is_shown() {
    for (document, text) in documents() {
        let project = new_project();
        let mut printed = None;
        for block in blocks(&document, &text) {
            if block.is(&["sh"]) {
                let output = shell(project.path(), &block.text);
                let all = said(&output);
                assert!(output.status.success(), "{}: {}\n{all}", block.place, output.status);
                printed = Some(all);
            } else if block.is(&["text"])
                && let Some(all) = printed.take()
            {
                assert_shown(&block, &all);
            } else if !block.is(&["sh", "ignore"]) {
                printed = None;
            }
        }
    }
}

/// Runs a block with `fthost` on the PATH, also where it stands there as `cargo run`.
fn shell(project: &Path, text: &str) -> Output {
    let bin = Path::new(BIN).parent().unwrap().to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let text = text.replace("cargo run --release -- ", "fthost ");
    let mut bash = Command::new("bash");
    bash.args(["-e", "-c", &text]).env("PATH", path).current_dir(project);
    bash.env_remove("OPENAI_API_KEY").env("HOME", project).output().unwrap()
}

fn assert_shown(block: &Block, printed: &str) {
    let printed: Vec<String> = printed.lines().map(timeless).collect();
    for line in block.text.lines().map(timeless).filter(|line| line != "..." && !line.is_empty()) {
        assert!(printed.contains(&line), "{}: not printed: {line}\nbut\n{}", block.place, printed.join("\n"));
    }
}

/// The words of a line, seconds left out.
fn timeless(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_time = |i: usize| {
        words.get(i + 1).is_some_and(|unit| unit.trim_end_matches(',') == "s")
            && words[i].parse::<f64>().is_ok()
    };
    (0..words.len()).map(|i| if is_time(i) { "N" } else { words[i] }).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_script_runs() {
    for block in all_blocks().iter().filter(|block| block.is(&["rhai"])) {
        let project = new_project();
        std::fs::write(project.path().join("scripts/example.rhai"), &block.text).unwrap();
        let output = fthost(project.path(), &["run", "scripts/example.rhai"]);
        assert!(output.status.success(), "{}: {}\n{}", block.place, output.status, said(&output));
    }
}

#[test]
fn every_test_passes() {
    for block in all_blocks().iter().filter(|block| block.is(&["rhai", "test"])) {
        let project = new_project();
        std::fs::write(project.path().join("tests/example_test.rhai"), &block.text).unwrap();
        let output = fthost(project.path(), &["test", "example_test"]);
        assert!(output.status.success(), "{}: {}\n{}", block.place, output.status, said(&output));
    }
}

#[test]
fn recipes_work_in_a_new_project() {
    let all = all_blocks();
    let recipes = all.iter().filter(|block| block.words.first().is_some_and(|word| word == "rhai"));
    for block in recipes.filter(|block| block.words.get(1).is_some_and(|word| word == "recipe")) {
        let project = new_project();
        let path = project.path().join(&block.words[2]);
        let mut text = std::fs::read_to_string(&path).unwrap();
        block.text.split("\n\n").for_each(|function| put_in(&mut text, function.trim()));
        std::fs::write(&path, text).unwrap();
        let check = fthost(project.path(), &["check"]);
        assert!(check.status.success(), "{}\n{}", block.place, said(&check));
        let pipeline = ["run", "scripts/generate.rhai", "scripts/assess.rhai", "scripts/slice.rhai"];
        let output = fthost(project.path(), &[&pipeline[..], &["-s", "turns=5", "--limit", "2"]].concat());
        assert!(output.status.success(), "{}: {}\n{}", block.place, output.status, said(&output));
    }
}

/// A function in place of the one of its name, or else at the end of the script.
fn put_in(script: &mut String, function: &str) {
    let head = function.split_once('(').unwrap().0;
    let known = script.find(&format!("\n{head}("));
    match known.and_then(|start| Some(start + 1..start + script[start..].find("\n}\n")? + 3)) {
        Some(range) => script.replace_range(range, &format!("{function}\n")),
        None => script.push_str(&format!("\n{function}\n")),
    }
}

#[test]
fn excerpts_stand_in_their_files() {
    for block in &all_blocks() {
        let Some(path) = block.path("rhai") else { continue };
        let file = std::fs::read_to_string(root().join(path)).unwrap();
        assert!(file.contains(block.text.trim_end()), "{}: not in {path}", block.place);
    }
}

#[test]
fn configurations_are_sound() {
    for block in &all_blocks() {
        let Some(path) = block.path("yaml") else { continue };
        let project = new_project();
        std::fs::write(project.path().join(path), &block.text).unwrap();
        named_in_documents(project.path());
        let path = format!("{}:/usr/bin:/bin", project.path().display());
        let check = Command::new(BIN).arg("check").current_dir(project.path()).env("PATH", path).output();
        let output = check.unwrap();
        assert!(output.status.success(), "{}: {}\n{}", block.place, output.status, said(&output));
    }
}

/// The files that configurations name: scripts, and the program `claude`.
fn named_in_documents(project: &Path) {
    let adapter = "fn to_http(request) { #{path: \"/\", body: #{}} }\nfn from_http(status, body) { () }";
    std::fs::write(project.join("scripts/echo.rhai"), "fn complete(request) { \"\" }").unwrap();
    std::fs::write(project.join("scripts/provider.rhai"), adapter).unwrap();
    std::fs::copy(root().join("tests/fake_claude.py"), project.join("claude")).unwrap();
}

/// The script behind a heading.
pub fn example_below(document: &str, heading: &str) -> String {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let (_, below) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let found = blocks(document, below).into_iter().find(|block| block.is(&["rhai"]));
    found.unwrap().text
}

/// What is shown behind a heading, and not run: the lines of its `console` blocks.
pub fn console_lines_below(document: &str, heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let (_, below) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let section = below.split_once("\n## ").map_or(below, |(section, _)| section);
    let shown = blocks(document, section).into_iter().filter(|block| block.is(&["console"]));
    shown.flat_map(|block| block.text.lines().map(String::from).collect::<Vec<_>>()).collect()
}

/// The queries of a document.
pub fn sql_blocks(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    blocks(document, &text).into_iter().filter(|block| block.is(&["sql"])).map(|block| block.text).collect()
}

/// VS Code's expressions are JavaScript's; this one means the same in Python.
#[test]
fn the_problem_matcher_finds_what_check_tells() {
    let all = all_blocks();
    let task = all.iter().find(|block| block.is(&["json"]) && block.text.contains("problemMatcher")).unwrap();
    let task: serde_json::Value = serde_json::from_str(&task.text).unwrap();
    let pattern = &task["tasks"][0]["problemMatcher"]["pattern"];
    let project = new_project();
    std::fs::write(project.path().join("scripts/a.rhai"), "let n = \"a \\\\ \\\"b\";\nprint(n.lenn(3));")
        .unwrap();
    let told = fthost(project.path(), &["check", "--json"]);
    let script = "import json, re, sys\npattern = json.loads(sys.argv[1])\n\
        for line in sys.argv[2].splitlines():\n    found = re.search(pattern['regexp'], line)\n    \
        if found: print([found[pattern[name]] for name in ['severity', 'code', 'message', 'file', 'line', 'column', 'endColumn']])";
    let mut python = Command::new("python3");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let matched = python.args(["-c", script, &pattern.to_string(), &told]).output().unwrap();
    let matched = said(&matched);
    let expected = "['error', 'unknown-method', 'unknown method `lenn`', 'scripts/a.rhai', '2', '9', '13']";
    assert!(matched.contains(expected), "{matched}\nof\n{told}");
}

#[test]
fn blocks_say_what_they_are() {
    const LANGUAGES: [&str; 9] = ["sh", "text", "rhai", "yaml", "json", "console", "rust", "toml", "sql"];
    for block in &all_blocks() {
        let language = block.words.first().map(String::as_str);
        assert!(language.is_some_and(|word| LANGUAGES.contains(&word)), "{}: {language:?}", block.place);
    }
}

#[test]
fn links_lead_somewhere() {
    for (document, text) in documents() {
        let dir = root().join(&document).parent().map(PathBuf::from).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root().join(&document) } else { dir.join(path) };
            assert!(file.exists(), "{document} links to {target}");
            let known = heading.is_empty() || headings(&file).iter().any(|known| known == heading);
            assert!(known, "{document}: {target} has no such heading");
        }
    }
}

/// The anchors of a document's headings.
fn headings(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let anchor = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    text.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}
