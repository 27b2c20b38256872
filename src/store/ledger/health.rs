//! What is wrong with a ledger: looked for in the whole file.

use rusqlite::{Connection, Row};

use super::open;
use crate::base::{Error, Kind, Result};
use crate::store::Project;

/// What was found.
#[derive(Debug, Default)]
pub struct Health {
    /// Why this program cannot use it, though it may be whole: another version, another program.
    pub unusable: Option<Error>,
    /// What is damaged.
    pub damage: Vec<String>,
    /// Outcomes that nobody knows, and how many replies have them.
    pub unknown_outcomes: Vec<(String, u64)>,
}

/// Looks through the ledger, and changes nothing. `outcomes` are those that are known.
pub fn examine(project: &Project, outcomes: &[&str]) -> Result<Health> {
    let mut health = Health::default();
    let connection = match open::existing(project) {
        Ok(Some(connection)) => connection,
        Ok(None) => return Ok(health),
        Err(error) => return unopened(error),
    };
    let found = damage(&connection, "integrity_check(20)").and_then(|mut damage| {
        damage.extend(dangling(&connection)?);
        Ok((damage, unknown_outcomes(&connection, outcomes)?))
    });
    match found {
        Ok(found) => (health.damage, health.unknown_outcomes) = found,
        Err(error) => match open::failed("read", &error) {
            damage if damage.kind() == Kind::Data => health.damage.push(damage.message().into()),
            // It may be whole.
            passing => return Err(passing),
        },
    }
    Ok(health)
}

fn unopened(error: Error) -> Result<Health> {
    match error.kind() {
        Kind::Data => Ok(Health { damage: vec![error.message().into()], ..Health::default() }),
        Kind::Config => Ok(Health { unusable: Some(error), ..Health::default() }),
        _ => Err(error),
    }
}

/// What one of SQLite's own checks finds.
pub(super) fn damage(connection: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare(&format!("PRAGMA {check}"))?;
    let found = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(found.into_iter().filter(|word| word != "ok").collect())
}

/// Rows that point at rows that are not there.
fn dangling(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT \"table\", \"parent\", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2";
    let words = |row: &Row| {
        let (table, parent, rows): (String, String, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("{rows} of its {table} belong to {parent} that are not there"))
    };
    connection.prepare(sql)?.query_map([], words)?.collect()
}

fn unknown_outcomes(connection: &Connection, known: &[&str]) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut query = connection.prepare("SELECT outcome, count(*) FROM replies GROUP BY outcome")?;
    let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut found = found.collect::<rusqlite::Result<Vec<(String, u64)>>>()?;
    found.retain(|(outcome, _)| !known.contains(&outcome.as_str()));
    Ok(found)
}
