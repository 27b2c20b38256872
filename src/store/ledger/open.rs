//! Opening the database: its form, its version, and the words for what can be wrong with it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::PATH;
use crate::base::{Error, Kind, Result};
use crate::store::{Project, atomic};

/// The tables.
const SCHEMA: &str = include_str!("schema.sql");

/// The version of the tables that this program writes.
const VERSION: i64 = 1;

/// "ftho" as a number: SQLite keeps it in the file's head, and `file` shows it.
const APPLICATION: i64 = 0x6674_686f;

/// How long one waits for another command that writes: as long as a slow disk may take for a flush.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often one looks whether the other has ended.
const STEP: Duration = Duration::from_millis(5);

/// Opens the ledger for writing, and makes it when it is not there.
pub(super) fn create(project: &Project) -> Result<Connection> {
    let (dir, path) = (project.dir(), Path::new(PATH));
    atomic::make_parents(dir, path)?;
    let is_new = !dir.exists(path);
    let connection = connect(project, OpenFlags::SQLITE_OPEN_CREATE)?;
    if is_new {
        atomic::sync_parent(dir, path)?;
    }
    Ok(connection)
}

/// Opens the ledger; none when there is none.
pub(super) fn existing(project: &Project) -> Result<Option<Connection>> {
    if !project.dir().exists(PATH) {
        return Ok(None);
    }
    connect(project, OpenFlags::empty()).map(Some)
}

fn connect(project: &Project, more: OpenFlags) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let opened = Connection::open_with_flags(project.root().join(PATH), flags);
    let mut connection = opened.map_err(|e| failed("open", &e))?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// Nothing is changed before it is known whose the file is.
fn prepare(connection: &mut Connection) -> Result<()> {
    let sql = |e: rusqlite::Error| failed("open", &e);
    connection.busy_timeout(PATIENCE).map_err(sql)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sql);
    // Asked for first: another command may make the tables between the two questions, and what is not empty has a name.
    let is_empty = number("schema_version")? == 0;
    let (application, version) = (number("application_id")?, number("user_version")?);
    if !is_empty && application != APPLICATION {
        return Err(foreign());
    }
    if version > VERSION {
        return Err(newer(version));
    }
    // A reply is on disk when its transaction has ended, also after a power cut.
    use_log(connection).map_err(sql)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    if is_empty { make_tables(connection).map_err(sql) } else { Ok(()) }
}

/// Writes go to a log beside the file. While another command makes the same change to a new file, this one is refused
/// at once, whatever its patience: so it has its own.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let used = connection.pragma_update(None, "journal_mode", "WAL");
        let is_busy = |e: &rusqlite::Error| e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        if !used.as_ref().is_err_and(is_busy) || Instant::now() >= end {
            return used;
        }
        std::thread::sleep(STEP);
    }
}

/// Makes the tables, unless another command was faster.
fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = change.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.execute_batch(SCHEMA)?;
    }
    change.commit()
}

fn newer(version: i64) -> Error {
    let message = format!(
        "{PATH} was written by a newer fthost: its version is {version}, this program knows {VERSION}"
    );
    Error::new(Kind::Config, message).hint("install the newer fthost; nothing was changed")
}

fn foreign() -> Error {
    Error::new(Kind::Config, format!("{PATH} is a database, but no ledger of fthost"))
        .hint("move it away; nothing was changed")
}

/// The error of the database, in words.
pub(super) fn failed(doing: &str, error: &rusqlite::Error) -> Error {
    let Some(code) = error.sqlite_error_code() else {
        return Error::new(Kind::Data, format!("cannot {doing} {PATH}: {error}")).hint(LOOK);
    };
    let disk = |kind: io::ErrorKind| atomic::disk_error(doing, Path::new(PATH), &io::Error::from(kind));
    match code {
        ErrorCode::DiskFull => disk(io::ErrorKind::StorageFull),
        ErrorCode::ReadOnly => disk(io::ErrorKind::ReadOnlyFilesystem),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => disk(io::ErrorKind::PermissionDenied),
        ErrorCode::SystemIoFailure => {
            atomic::disk_error(doing, Path::new(PATH), &io::Error::other("the disk reports an error"))
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            let message = format!("cannot {doing} {PATH}: another program has held it for a minute");
            Error::new(Kind::Disk, message).hint("end what holds it, then run again: what was saved is kept")
        }
        _ => Error::new(Kind::Data, format!("{PATH} is damaged: {error}")).hint(LOOK),
    }
}

/// What to do about a ledger that cannot be read.
const LOOK: &str = "`fthost doctor` says more, and with --repair saves what can be read of it";
