//! Runs the binary under strace, which kills it at a system call, or fails that call, as often as asked.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ran, TestProject, remark};

/// System calls of one kind: strace's name or `/pattern`, on these files of the project only (on all when empty).
#[derive(Clone, Copy, Debug)]
pub struct Calls(pub &'static str, pub &'static [&'static str]);

/// Whether it is installed and may trace. Where it is not, tests say so and do without.
pub fn is_there() -> bool {
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let there = tried.is_ok_and(|output| output.status.success());
    if !there {
        remark("there is no strace here: cruder tests stand in (install it for the exact ones)");
    }
    there
}

/// What became of a command under strace.
pub struct Traced {
    pub ran: Ran,
    /// What strace wrote down: when (seconds since 1970), and the call.
    pub log: String,
}

impl Traced {
    /// When the first call was failed, in seconds since 1970.
    pub fn failed_at(&self) -> Option<f64> {
        let line = self.log.lines().find(|line| line.contains("(INJECTED)"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

/// Runs the command; its `nth` such call on a thread kills it before it has done anything.
pub fn kill_at(project: &TestProject, calls: Calls, nth: usize, words: &str) -> Traced {
    traced(project, calls, &format!("signal=KILL:when={nth}"), &[], words)
}

/// Runs the command; of such calls on a thread, the `nth` (`3`), or all from it on (`3+`), fail.
pub fn fail_at(project: &TestProject, calls: Calls, error: &str, nth: &str, words: &str) -> Traced {
    traced(project, calls, &format!("error={error}:when={nth}"), &["--seccomp-bpf"], words)
}

fn traced(project: &TestProject, calls: Calls, what: &str, more: &[&str], words: &str) -> Traced {
    let Calls(name, files) = calls;
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-ttt", "-o"]).arg(log.path()).args(more);
    command.args(["-e", &format!("trace={name}"), "-e", &format!("inject={name}:{what}")]);
    for file in files {
        command.arg("-P").arg(real(project.root()).join(file));
    }
    command.arg(env!("CARGO_BIN_EXE_fthost")).args(words.split_whitespace());
    command.current_dir(project.root()).env("NO_COLOR", "1");
    let ran = Ran::of(command);
    Traced { ran, log: std::fs::read_to_string(log.path()).unwrap() }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap()
}
