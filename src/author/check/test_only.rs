//! `std/testing` in scripts that are run: it works in tests only.

use std::collections::BTreeSet;

use super::Finding;
use crate::base::{Error, Kind};
use crate::host::{Session, testing};
use crate::script::library::{Unit, place_in};

/// The imports of it in loaded scripts, and in what they import.
pub fn check<'a>(session: &Session, entries: impl IntoIterator<Item = &'a str>) -> Vec<Finding> {
    let units = entries.into_iter().flat_map(|entry| session.engine.library().reachable(entry));
    let place = |unit: &Unit| {
        let (_, position) = unit.imports.iter().find(|(path, _)| path == testing::PATH)?;
        Some(place_in(unit, *position))
    };
    let error = || {
        Error::new(Kind::Script, format!("{} is for tests only", testing::PATH))
            .hint("`fthost test` runs tests: the functions `test_...` of tests/**/*_test.rhai")
    };
    units.filter_map(|unit| place(&unit)).map(|place| Finding::of("test-only", error().at(place))).collect()
}

/// Those of scripts that no test (all are loaded) uses, so that they can only be meant to be run.
pub fn of_project(session: &Session, scripts: &[&str]) -> Vec<Finding> {
    let library = session.engine.library();
    let tests = library.units().into_iter().filter(|unit| unit.path.starts_with("tests/"));
    let reached = tests.flat_map(|test| library.reachable(&test.path));
    let reached: BTreeSet<String> = reached.map(|unit| unit.path.clone()).collect();
    check(session, scripts.iter().copied().filter(|script| !reached.contains(*script)))
}
