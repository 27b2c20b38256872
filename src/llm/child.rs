//! A program that answers: run in a process group of its own, so that Ctrl-C in the terminal does not
//! reach it, and killed with all its children when nobody waits for it any more.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::failure::Failure;
use super::transport::LARGEST;
use crate::base::Kind;

/// How long output that is still on its way is waited for once the program has ended, and the program's end
/// once its output has.
const REST: Duration = Duration::from_secs(1);

/// A program to run.
pub(super) struct Program {
    /// Its file.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// All of its environment.
    pub environment: Vec<(String, String)>,
    /// What it reads.
    pub input: String,
}

/// What it said.
pub(super) struct Said {
    /// On its standard output.
    pub output: String,
    /// On its standard error.
    pub complaint: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
}

impl Program {
    /// Runs it in a directory to its end, within the deadline.
    pub async fn run(self, directory: &Path, deadline: Duration) -> Result<Said, Failure> {
        let mut child = self.start(directory)?;
        let _group = Group::of(&child);
        match tokio::time::timeout(deadline, self.talk(&mut child)).await {
            Ok(said) => said,
            Err(_) => {
                let message = format!("{} gave no answer in {} s", self.name(), deadline.as_secs_f64());
                Err(Failure::passing(Kind::Timeout, message)
                    .hint("`timeouts.total` of the backend in config/fthost.yaml sets the deadline"))
            }
        }
    }

    fn start(&self, directory: &Path) -> Result<Child, Failure> {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned());
        command.current_dir(directory).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| self.not_started(&error))
    }

    /// A program that is not there or may not be run is no backend; a machine that is full may have room later.
    fn not_started(&self, error: &std::io::Error) -> Failure {
        use std::io::ErrorKind::{InvalidInput, NotFound, PermissionDenied};
        let text = error.to_string();
        let why = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        let message = format!("cannot start {}: {why}", self.name());
        let failure = match error.kind() {
            NotFound | PermissionDenied | InvalidInput => Failure::fatal(Kind::DeadBackend, message),
            _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
                Failure::fatal(Kind::DeadBackend, message)
            }
            _ => {
                return Failure::passing(Kind::Server, message)
                    .hint("lower `concurrency` of the backend")
                    .free();
            }
        };
        failure.hint("`command` of the backend in config/fthost.yaml names the program").free()
    }

    /// Writes and reads at the same time: a full pipe on one side must not stop the other.
    async fn talk(&self, child: &mut Child) -> Result<Said, Failure> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read all of it says in its own words why.
                let _ = stdin.write_all(self.input.as_bytes()).await;
            }
        };
        let (mut output, mut complaint) = (Vec::new(), Vec::new());
        let read = async {
            tokio::try_join!(read(stdout, &mut output), read(stderr, &mut complaint), async {
                write.await;
                Ok(())
            })
        };
        let status = {
            tokio::pin!(read);
            let ended = tokio::select! {
                done = &mut read => done.map(|_| None)?,
                status = child.wait() => Some(status),
            };
            match ended {
                // Its own children may hold the pipes open: they are not waited for.
                Some(status) => {
                    if let Ok(done) = tokio::time::timeout(REST, &mut read).await {
                        done?;
                    }
                    status
                }
                // It has said all: one that lingers is killed, and what it said counts.
                None => match tokio::time::timeout(REST, child.wait()).await {
                    Ok(status) => status,
                    Err(_) => Ok(ExitStatus::default()),
                },
            }
        };
        let status = status.map_err(|error| {
            Failure::passing(Kind::Connection, format!("{} was lost: {error}", self.name()))
        })?;
        let output = String::from_utf8(output).map_err(|_| {
            Failure::passing(Kind::Server, format!("what {} answered is not UTF-8 text", self.name()))
        })?;
        Ok(Said { output, complaint: String::from_utf8_lossy(&complaint).into_owned(), code: status.code() })
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> Result<(), Failure> {
    let Some(pipe) = pipe else { return Ok(()) };
    let broken =
        |e: std::io::Error| Failure::passing(Kind::Connection, format!("cannot read the answer: {e}"));
    pipe.take(LARGEST as u64 + 1).read_to_end(into).await.map_err(broken)?;
    match into.len() > LARGEST {
        true => Err(Failure::fatal(Kind::Limit, "the program's answer is larger than 16 MiB")),
        false => Ok(()),
    }
}

/// The child's process group; what is left of it is killed at the end, however that comes.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Nobody is left in it, as a rule.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
