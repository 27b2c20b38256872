//! Tests of a project's scripts: the functions `test_...` of `tests/**/*_test.rhai`, each run in a world of its
//! own, in which nothing is sent and nothing of the project is written to.

mod find;
mod run;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use find::Found;
pub use run::{Ran, Running};

use crate::base::Result;
use crate::base::config::Config;
use crate::base::events::{Events, Silent};
use crate::host::Session;
use crate::host::session::Parts;
use crate::store::Project;
use crate::store::ledger::{Nothing, Sums};
use crate::work::World;
use crate::work::budget::Caps;

/// The configuration's path.
const CONFIG: &str = "config/fthost.yaml";

/// A project whose scripts are tested.
pub struct Tests {
    root: PathBuf,
    config: Config,
    parts: Parts,
    /// Loads and checks the scripts; runs none.
    session: Session,
}

/// A test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its file.
    pub file: String,
    /// Its function.
    pub name: String,
    /// Where that stands.
    pub line: usize,
}

impl Case {
    /// `tests/prompts_test.rhai::test_first_turn`: what a filter is looked for in.
    pub fn id(&self) -> String {
        id(&self.file, &self.name)
    }
}

fn id(file: &str, name: &str) -> String {
    format!("{file}::{name}")
}

impl Tests {
    /// Opens the project at `root`. No keys are read.
    pub fn open(root: &Path) -> Result<Tests> {
        let project = Project::open(root)?;
        let config = Config::parse(CONFIG, &project.read_text(CONFIG)?)?;
        let parts = Parts::default();
        let session = Session::of_parts(world(project, config.clone(), Arc::new(Silent)), &parts, &[]);
        Ok(Tests { root: root.into(), config, parts, session })
    }
}

impl Drop for Tests {
    fn drop(&mut self) {
        self.session.world.let_go();
    }
}

/// A world in which nothing is paid for: without keys, ledger and caps.
fn world(project: Project, mut config: Config, events: Arc<dyn Events>) -> World {
    config.budget = Default::default();
    let mut world = World::new(project, config, events, Box::new(|_| None), "test");
    world.ledger = Arc::new(Nothing);
    world.cap(Caps::default(), Sums::default());
    world
}
