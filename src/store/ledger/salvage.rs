//! A damaged ledger is moved away, and what can be read of it is saved in a new one, row by row. Nothing is deleted.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::{PATH, guard, open};
use crate::base::Result;
use crate::store::{Project, atomic};

/// The files of a database, by what stands behind its name; the one without which the others are nothing is moved last.
const PARTS: [&str; 3] = ["-wal", "-shm", ""];

/// After so many rows in a row that cannot be read, what follows counts as lost.
const GIVE_UP: u32 = 100_000;

/// How a database of ours begins, whatever it holds: magic, page size, write-ahead log, fixed fractions.
const HEAD: &[u8; 24] = b"SQLite format 3\0\x10\0\x02\x02\0\x40\x20\x20";

/// Rows whose owners were lost: replies stay, since they are money spent; the rest says nothing without.
const TIDY: &str = "
    INSERT INTO runs SELECT DISTINCT run, '', 'unknown', '' FROM replies WHERE run NOT IN (SELECT id FROM runs);
    DELETE FROM items WHERE job NOT IN (SELECT id FROM jobs);
    DELETE FROM times WHERE item NOT IN (SELECT id FROM items);
    UPDATE replies SET repairs = NULL WHERE repairs NOT IN (SELECT id FROM replies);
    UPDATE items SET ended_after = min(ended_after, (SELECT ifnull(max(id), 0) FROM replies)),
        forgotten_up_to = min(forgotten_up_to, (SELECT ifnull(max(id), 0) FROM replies));";

const SET_ADRIFT: &str = "UPDATE replies SET item = NULL WHERE item NOT IN (SELECT id FROM items)";

/// What became of a damaged ledger.
#[derive(Debug)]
pub struct Salvaged {
    /// Replies that are in the new one.
    pub replies: u64,
    /// Those of them whose items could not be read: they are only money spent.
    pub adrift: u64,
    /// Where the damaged one is now.
    pub moved_to: String,
}

/// Moves the ledger away, and puts a new one in its place. What was interrupted goes on.
pub fn salvage(project: &Project) -> Result<Salvaged> {
    let _alone = guard::alone(project)?;
    let moved_to = move_away(project)?;
    let [copy, new] = [(); 2].map(|()| atomic::aside(Path::new(PATH)));
    let disk = |e: io::Error| atomic::disk_error("mend", Path::new(PATH), &e);
    let saved = copy_files(project, &moved_to, &copy).map_err(disk).and_then(|()| {
        let saved = read_into(&project.root().join(&copy), &project.root().join(&new));
        saved.map_err(|e| open::failed("mend", &e))
    });
    for part in PARTS {
        let _ = project.dir().remove_file(with(&copy, part));
    }
    let (replies, adrift) = saved?;
    open::give_name(project, &new)?;
    Ok(Salvaged { replies, adrift, moved_to })
}

fn with(path: &Path, part: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(part);
    name.into()
}

/// The new name of the ledger, after its files have got it.
fn move_away(project: &Project) -> Result<String> {
    let dir = project.dir();
    let is_there = |number: &u32| dir.exists(open::moved_away(*number));
    let free = (1..).find(|number| !is_there(number)).unwrap_or(1);
    // When an earlier attempt was interrupted, its number is gone on with.
    let is_moved = !dir.exists(PATH) && !open::has_journal(project);
    let number = if is_moved && free > 1 { free - 1 } else { free };
    let moved = open::moved_away(number);
    for part in PARTS {
        let (from, to) = (format!("{PATH}{part}"), format!("{moved}{part}"));
        if dir.exists(&from) && !dir.exists(&to) {
            dir.rename(&from, dir, &to).map_err(|e| atomic::disk_error("move", Path::new(&from), &e))?;
        }
    }
    atomic::sync_parent(dir, Path::new(PATH))?;
    Ok(moved)
}

/// A copy to read from, so that the damaged files stay as they are; with a head that SQLite accepts.
fn copy_files(project: &Project, from: &str, to: &Path) -> io::Result<()> {
    let root = project.root();
    for part in ["", "-wal"] {
        match fs::copy(root.join(format!("{from}{part}")), root.join(with(to, part))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match OpenOptions::new().write(true).open(root.join(to)) {
        Ok(mut copy) => copy.write_all(HEAD),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a new database of what can be read of another; says how many replies that is, and how many of
/// them have no item any more. Two connections: what is
/// damaged must not come near what is not.
fn read_into(old: &Path, new: &Path) -> rusqlite::Result<(u64, u64)> {
    let new = open::tables(new)?;
    new.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    new.execute_batch("BEGIN")?;
    if let Ok(old) = Connection::open_with_flags(old, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        // A file that is shorter than it says is read as far as it goes.
        old.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
        ["runs", "jobs", "items", "replies"].iter().try_for_each(|table| copy_table(&old, &new, table))?;
        copy_times(&old, &new)?;
    }
    new.execute_batch(TIDY)?;
    let adrift = new.execute(SET_ADRIFT, [])? as u64;
    new.execute_batch("COMMIT")?;
    let replies = new.query_row("SELECT count(*) FROM replies", [], |row| row.get(0))?;
    open::finish(new).map(|()| (replies, adrift))
}

/// Copies a table, around what cannot be read.
fn copy_table(old: &Connection, new: &Connection, table: &str) -> rusqlite::Result<()> {
    let (mut last, mut unreadable) = (i64::MIN, 0);
    let from = format!("SELECT * FROM {table} WHERE id > ?1 ORDER BY id");
    while unreadable < GIVE_UP {
        let before = last;
        let copied = copy_rows(old, new, table, &from, &mut last)?;
        if copied {
            break;
        }
        unreadable = if last > before { 1 } else { unreadable + 1 };
        last = last.max(0) + 1;
    }
    Ok(())
}

/// Copies the rows of a query about `last`, until one cannot be read: then it is false. Errors are those of the new
/// database.
fn copy_rows(
    old: &Connection,
    new: &Connection,
    table: &str,
    from: &str,
    last: &mut i64,
) -> rusqlite::Result<bool> {
    // Without its table nothing can be asked for.
    let Ok(mut query) = old.prepare_cached(from) else { return Ok(true) };
    let places = vec!["?"; query.column_count()].join(", ");
    let mut insert = new.prepare_cached(&format!("INSERT OR IGNORE INTO {table} VALUES ({places})"))?;
    let columns = query.column_count();
    let Ok(mut rows) = query.query([*last]) else { return Ok(false) };
    while let Ok(row) = rows.next() {
        let Some(row) = row else { return Ok(true) };
        let values = (0..columns).map(|column| row.get_ref(column).map(ToSqlOutput::Borrowed));
        let values = values.collect::<rusqlite::Result<Vec<_>>>()?;
        match insert.execute(params_from_iter(values)) {
            Err(error) if is_of_the_row(&error) => {}
            done => drop(done?),
        }
        *last = row.get(0).unwrap_or(*last);
    }
    Ok(false)
}

/// Whether a row does not fit, since a value of it is damaged.
fn is_of_the_row(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig))
}

/// Times have no numbers of their own: they are copied by item.
fn copy_times(old: &Connection, new: &Connection) -> rusqlite::Result<()> {
    let mut items = new.prepare("SELECT id FROM items")?;
    for item in items.query_map([], |row| row.get(0))? {
        copy_rows(old, new, "times", "SELECT * FROM times WHERE item = ?1", &mut item?)?;
    }
    Ok(())
}
