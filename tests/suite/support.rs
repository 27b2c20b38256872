//! Temporary projects, and the built binary in them.
#![allow(dead_code)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use fault_server::ModelServer;

/// The three shipped scripts in one command.
pub const PIPELINE: &str = "run scripts/generate.rhai scripts/assess.rhai scripts/slice.rhai";

/// No command of the tests takes longer.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs its arguments, and says how much memory they had at most, in KiB.
const MEASURE: &str = "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; \
    print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)";

/// A project in a temporary directory, which goes when this is dropped.
pub struct TestProject(TempDir);

impl TestProject {
    /// The shipped project.
    pub fn shipped() -> TestProject {
        let project = TestProject(TempDir::new().unwrap());
        for dir in ["config", "scripts"] {
            copy_dir(&root().join(dir), &project.path(dir));
        }
        project
    }

    /// The shipped project with every role at a model server that speaks Chat Completions.
    pub fn shipped_live(server: &ModelServer) -> TestProject {
        let project = TestProject::shipped();
        project.write("config/fthost.yaml", &chat_config(server));
        project
    }

    /// A project of one script of its own, `main.rhai`; its backends work offline.
    pub fn of(script: &str) -> TestProject {
        TestProject::of_config(script, &fs::read_to_string(root().join("config/fthost.yaml")).unwrap())
    }

    /// A project of one script whose roles are at a model server.
    pub fn live(server: &ModelServer, script: &str) -> TestProject {
        TestProject::of_config(script, &chat_config(server))
    }

    /// A project of one script and this configuration.
    pub fn of_config(script: &str, config: &str) -> TestProject {
        let project = TestProject(TempDir::new().unwrap());
        project.write("config/fthost.yaml", config);
        project.write("scripts/main.rhai", script);
        project
    }

    /// An empty directory.
    pub fn nothing() -> TestProject {
        TestProject(TempDir::new().unwrap())
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Replaces a text that must be there.
    pub fn edit(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no {old:?}");
        self.write(path, &text.replacen(old, new, 1));
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }

    /// The lines of a JSON Lines file; none when it is not there.
    pub fn lines(&self, path: &str) -> Vec<Value> {
        if !self.exists(path) {
            return vec![];
        }
        self.read(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The ids of a JSON Lines file, sorted.
    pub fn ids(&self, path: &str) -> Vec<String> {
        let mut ids: Vec<String> =
            self.lines(path).iter().map(|line| line["id"].as_str().unwrap().into()).collect();
        ids.sort();
        ids
    }

    /// What a query of the ledger gives: an object a row.
    pub fn ledger(&self, query: &str) -> Vec<Value> {
        let ledger = rusqlite::Connection::open(self.path(".fthost/ledger.sqlite")).unwrap();
        let mut query = ledger.prepare(query).unwrap();
        let names: Vec<String> = query.column_names().map(str::to_string).collect();
        let mut rows = query.query([]).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let value =
                |(place, name): (usize, &String)| (name.clone(), sql_value(row.get_ref(place).unwrap()));
            found.push(names.iter().enumerate().map(value).collect());
        }
        found
    }

    /// All files below a directory with their contents, by path, in order.
    pub fn files(&self, dir: &str) -> Vec<(String, Vec<u8>)> {
        files_of(&self.path(dir), self.root())
    }

    /// Runs the binary in the project with these words.
    pub fn run(&self, words: &str) -> Ran {
        self.run_args(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `scripts/main.rhai` with more words.
    pub fn main(&self, words: &str) -> Ran {
        self.run(&format!("run scripts/main.rhai {words}"))
    }

    /// Runs the binary in the project; what it said, and the most memory that it had, in bytes.
    pub fn measured(&self, words: &str) -> (Ran, u64) {
        let mut command = Command::new("python3");
        command.args(["-c", MEASURE, env!("CARGO_BIN_EXE_fthost")]).args(words.split_whitespace());
        command.current_dir(self.root()).env("NO_COLOR", "1");
        let ran = Ran::of(command);
        let peak = ran.out.lines().find_map(|line| line.strip_prefix("peak ")).expect("a figure");
        let peak = peak.parse::<u64>().unwrap() * 1024;
        (ran, peak)
    }

    /// Runs the binary in the project.
    pub fn run_args(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args))
    }

    /// The binary in the project, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fthost"));
        command.args(args).current_dir(self.root()).env_remove("OPENAI_API_KEY").env("NO_COLOR", "1");
        command
    }

    /// Starts the binary, and goes on.
    pub fn start(&self, words: &str) -> Running {
        Running::start(self.command(&words.split_whitespace().collect::<Vec<_>>()))
    }
}

fn sql_value(value: rusqlite::types::ValueRef) -> Value {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => fthost::base::hash::hex(bytes).into(),
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A configuration with one keyless backend, `live`, in every role.
pub fn chat_config(server: &ModelServer) -> String {
    live_config("openai-chat", &server.url(), "api_key_env: null")
}

/// A configuration with one backend, `live`, in every role.
pub fn live_config(kind: &str, url: &str, more: &str) -> String {
    format!(
        "backends:\n  live: {{kind: {kind}, model: m, base_url: \"{url}\", {more}}}\n\
         roles: {{user_sim: live, assistant: live, judges: [live]}}\n"
    )
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_dir(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The files below a directory by their paths from `root`, sorted, with what they hold.
pub fn files_of(dir: &Path, root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    collect(dir, root, &mut found);
    found.sort();
    found
}

fn collect(dir: &Path, root: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => collect(&path, root, found),
            false => {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
}

/// What a command left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(command: Command) -> Ran {
        Running::start(command).wait()
    }

    fn from_output(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the exit code, and shows all when it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Checks that stderr has a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        assert!(self.err.contains(text), "no {text:?} in stderr:\n{}", self.err);
        self
    }

    /// Checks that stdout has a text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Ran {
        assert!(self.out.contains(text), "no {text:?} in stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The events of `--json`.
    pub fn events(&self) -> Vec<Value> {
        let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(event).collect()
    }
}

/// A command that runs.
pub struct Running(Child);

impl Running {
    /// Starts a command, and goes on.
    pub fn start(mut command: Command) -> Running {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal: INT, TERM, KILL.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Sends a signal to the whole process group that it leads, as a terminal does.
    pub fn signal_group(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), "--", &format!("-{}", self.pid())]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether it has come to its end.
    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits for the end; a command that takes too long is killed.
    pub fn wait(self) -> Ran {
        let pid = self.pid();
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let guard = std::thread::spawn(move || {
            if ended.recv_timeout(PATIENCE).is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        });
        let output = self.0.wait_with_output().unwrap();
        drop(done);
        guard.join().unwrap();
        Ran::from_output(output)
    }
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the long forms are asked for: `FTHOST_LONG=1`.
pub fn long() -> bool {
    std::env::var_os("FTHOST_LONG").is_some()
}

/// Says what a test could not do here.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "    {text}");
}

/// A figure that was measured; shown in the long form (with `--nocapture`).
pub fn figure(text: &str) {
    if long() {
        let _ = writeln!(std::io::stdout(), "    {text}");
    }
}
