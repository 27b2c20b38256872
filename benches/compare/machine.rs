//! Where the figures come from: processor, kernel and versions.

use std::fs;
use std::process::Command;

use crate::python::Python;

/// One line of all that.
pub fn describe() -> String {
    let mut facts = vec![processor(), memory(), kernel(), load()];
    facts.push(said("rustc", &["--version"]));
    facts.push(format!("fthost {}", env!("CARGO_PKG_VERSION")));
    facts.extend(Python::made().map(|python| python.versions()));
    facts.retain(|fact| !fact.is_empty());
    format!("Measured on: {}.", facts.join("; "))
}

fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("unknown processor", |(_, name)| name);
    format!("{cores} cores of {model}")
}

fn memory() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|text| text.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kilobytes.map_or(String::new(), |kb| format!("{:.0} GB of memory", kb * 1024.0 / 1e9))
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim())
}

/// How busy the machine is besides.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {} at the end", load.split(' ').next().unwrap_or_default())
}

/// The first line that a command prints.
pub fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_string()
}
