//! Python to compare with: a virtual environment below `target/`, and the vocabularies that tiktoken would
//! fetch, taken from the sources of the crate tiktoken-rs. tiktoken itself checks that they are its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::measured;
use crate::table::Sample;
use crate::{Result, machine};

/// The packages that are compared with, in these versions.
const PACKAGES: [&str; 2] = ["tiktoken==0.14.0", "openai==3.57.0"];

/// The environment.
pub struct Python {
    dir: PathBuf,
}

impl Python {
    /// Makes it, if it is not there yet: the packages alone are fetched, from PyPI.
    pub fn prepare() -> Result<Python> {
        if let Some(python) = Python::made() {
            return Ok(python);
        }
        let python = Python::unmade();
        eprintln!("  making a Python environment in {}", python.dir.display());
        measured(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&python.dir))
            .map_err(|e| format!("Python 3 with venv is needed: {e}"))?;
        measured(python.command().args(["-m", "pip", "-q", "install"]).args(PACKAGES))?;
        python.lay_vocabularies()?;
        std::fs::write(python.stamp(), PACKAGES.join("\n"))?;
        Ok(python)
    }

    /// The environment of an earlier run, if its packages are those of today.
    pub fn made() -> Option<Python> {
        let python = Python::unmade();
        let packages = std::fs::read_to_string(python.stamp()).ok()?;
        (packages == PACKAGES.join("\n")).then_some(python)
    }

    fn unmade() -> Python {
        Python { dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare-python") }
    }

    fn stamp(&self) -> PathBuf {
        self.dir.join("packages")
    }

    /// Puts the vocabularies where tiktoken keeps what it has fetched.
    fn lay_vocabularies(&self) -> Result<()> {
        std::fs::create_dir_all(self.vocabularies())?;
        let mut command = self.script("vocabularies.py");
        command.arg(vocabulary_sources()?).arg(self.vocabularies());
        measured(&mut command).map(drop)
    }

    fn vocabularies(&self) -> PathBuf {
        self.dir.join("vocabularies")
    }

    /// The interpreter.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.dir.join("bin/python"));
        command.env("TIKTOKEN_CACHE_DIR", self.vocabularies());
        command
    }

    /// A script of `benches/compare/py/`.
    pub fn script(&self, name: &str) -> Command {
        let mut command = self.command();
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/py").join(name));
        command
    }

    /// `Python 3.11.7 with tiktoken 0.14.0, openai 3.57.0`.
    pub fn versions(&self) -> String {
        let python = self.dir.join("bin/python");
        let version = machine::said(&python.to_string_lossy(), &["--version"]);
        format!("{version} with {}", PACKAGES.join(", ").replace("==", " "))
    }
}

/// Runs a script that tells at its end, as JSON, what it found.
pub fn told(command: &mut Command) -> Result<(Sample, Value)> {
    let (sample, said) = measured(command)?;
    Ok((sample, serde_json::from_str(&said)?))
}

/// A number of what a script told.
pub fn number(told: &Value, name: &str) -> Result<f64> {
    Ok(told[name].as_f64().ok_or_else(|| format!("the script told no `{name}`"))?)
}

/// Where the crate's `*.tiktoken` files are.
fn vocabulary_sources() -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    let (_, said) = measured(cargo.current_dir(env!("CARGO_MANIFEST_DIR")))?;
    let metadata: Value = serde_json::from_str(&said)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let package = packages.iter().find(|package| package["name"] == "tiktoken-rs");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.ok_or("tiktoken-rs is not among the packages")?;
    Ok(Path::new(manifest).with_file_name("assets"))
}
