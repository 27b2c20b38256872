//! A command, measured: wall time and the peak of resident memory, that of its children added.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::table::Sample;

/// How often memory is looked at; what counts is the kernel's own peak, so little is missed in between.
const EVERY: Duration = Duration::from_millis(5);

/// The command of this program, with its start told by nothing but its results.
pub fn fthost() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fthost"));
    command.arg("--quiet");
    command
}

/// Runs a command to its end, and gives what it printed besides.
pub fn measured(command: &mut Command) -> Result<(Sample, String)> {
    let began = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let done = AtomicBool::new(false);
    let pid = child.id();
    let (output, seconds, peak) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(pid, &done));
        let output = Child::wait_with_output(child);
        let seconds = began.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        (output, seconds, watcher.join().unwrap_or_default())
    });
    let output = output?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} ended with {}:\n{said}", output.status).into());
    }
    Ok((Sample { peak: Some(peak), ..Sample::of(seconds) }, String::from_utf8(output.stdout)?))
}

/// The same without looking at its memory, for what takes milliseconds.
pub fn timed(command: &mut Command) -> Result<Sample> {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let seconds = began.elapsed().as_secs_f64();
    match output.status.success() {
        true => Ok(Sample::of(seconds)),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// The sum of the peaks of a process and its children, in bytes.
fn watch(pid: u32, done: &AtomicBool) -> f64 {
    let mut peaks = BTreeMap::new();
    while !done.load(Ordering::Relaxed) {
        for process in family(pid) {
            if let Some(peak) = peak_of(&process) {
                peaks.insert(process, peak);
            }
        }
        std::thread::sleep(EVERY);
    }
    peaks.values().sum()
}

fn family(pid: u32) -> Vec<String> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    std::iter::once(pid.to_string()).chain(children.split_whitespace().map(String::from)).collect()
}

fn peak_of(pid: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}
