//! Opening the database: its form, its version, and the words for what can be wrong with it.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::RenameFlags;

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

/// Opens the ledger for writing, and makes it when it is not there.
pub(super) fn create(project: &Project) -> Result<Connection> {
    if !project.dir().exists(PATH) {
        refuse_remains(project)?;
        make(project)?;
    }
    connect(project)
}

/// Opens the ledger to read it; none when there is none.
pub(super) fn existing(project: &Project) -> Result<Option<Connection>> {
    if !project.dir().exists(PATH) {
        return refuse_remains(project).map(|()| None);
    }
    let has_journal = has_journal(project);
    let connection = match connect(project) {
        // On a disk that cannot be written, SQLite can keep no account of who reads, and nobody writes.
        Err(error) if error.kind() == Kind::Disk && !has_journal => immutable(project).map_err(|_| error)?,
        other => other?,
    };
    // What a killed run left in the journal is for the next run to bring over: who reads changes nothing.
    let keep = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_journal);
    keep.map_err(|e| failed("open", &e))?;
    Ok(Some(connection))
}

fn connect(project: &Project) -> Result<Connection> {
    // SQLite takes an empty file for a new one, and throws away the journal beside it.
    if project.dir().metadata(PATH).is_ok_and(|meta| meta.is_file() && meta.len() == 0) {
        return Err(damaged("it is empty"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = |e: rusqlite::Error| failed("open", &e);
    let connection = Connection::open_with_flags(project.root().join(PATH), flags).map_err(sql)?;
    // Nothing is changed before it is known whose the file is.
    check_origin(&connection)?;
    // A reply is on disk when its transaction has ended, also after a power cut.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    Ok(connection)
}

fn immutable(project: &Project) -> Result<Connection> {
    let path = project.root().join(PATH);
    let path = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC).to_string();
    let uri = format!("file:{}?immutable=1", path.replace("%2F", "/"));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).map_err(|e| failed("open", &e))?;
    check_origin(&connection)?;
    Ok(connection)
}

/// An error for a file that is no ledger of this version.
fn check_origin(connection: &Connection) -> Result<()> {
    let sql = |e: rusqlite::Error| failed("open", &e);
    connection.busy_timeout(PATIENCE).map_err(sql)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sql);
    if number("schema_version")? == 0 {
        return Err(damaged("it holds no tables"));
    }
    if number("application_id")? != APPLICATION {
        return Err(foreign());
    }
    match number("user_version")? {
        version if version > VERSION => Err(newer(version)),
        _ => Ok(()),
    }
}

/// Makes an empty ledger, whole or not at all: a file of this name always has its tables.
pub(super) fn make(project: &Project) -> Result<()> {
    let aside = atomic::aside(Path::new(PATH));
    atomic::make_parents(project.dir(), &aside)?;
    let made = tables(&project.root().join(&aside)).and_then(finish).map_err(|e| failed("make", &e));
    made.and_then(|()| give_name(project, &aside))
}

/// A new database with the tables.
pub(super) fn tables(at: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(at)?;
    // Nobody else knows it: when the program is killed now, it is thrown away.
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    let change = connection.transaction()?;
    change.pragma_update(None, "application_id", APPLICATION)?;
    change.execute_batch(SCHEMA)?;
    change.commit()?;
    Ok(connection)
}

/// Closes a new database, in the mode in which it will be used: changing it later would disturb others.
pub(super) fn finish(connection: Connection) -> rusqlite::Result<()> {
    connection.pragma_update(Some("main"), "journal_mode", "WAL")?;
    connection.close().map_err(|(_, error)| error)
}

/// Gives a new ledger its name, unless another command was faster.
pub(super) fn give_name(project: &Project, aside: &Path) -> Result<()> {
    let (dir, path) = (project.dir(), Path::new(PATH));
    let named = match dir.hard_link(aside, dir, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Not every file system has links.
        Err(_) => match rustix::fs::renameat_with(dir, aside, dir, path, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            renamed => renamed.map_err(io::Error::from),
        },
        Ok(()) => Ok(()),
    };
    let _ = dir.remove_file(aside);
    named.map_err(|e| atomic::disk_error("make", path, &e))?;
    atomic::sync_parent(dir, path)
}

/// Whether the journal holds anything.
pub(super) fn has_journal(project: &Project) -> bool {
    project.dir().metadata(format!("{PATH}-wal")).is_ok_and(|meta| meta.len() > 0)
}

/// What a damaged ledger is called once it was moved away, by its number.
pub(super) fn moved_away(number: u32) -> String {
    format!("{PATH}.damaged-{number}")
}

/// An error when there is no ledger, but what is left of one.
fn refuse_remains(project: &Project) -> Result<()> {
    if has_journal(project) {
        return Err(damaged("it is gone, and only its journal is there"));
    }
    match project.dir().exists(moved_away(1)) {
        true => Err(damaged("it was moved away to be mended, and is not back")),
        false => Ok(()),
    }
}

/// The error of a damaged ledger.
pub(super) fn damaged(what: &str) -> Error {
    Error::new(Kind::Data, format!("{PATH} is damaged: {what}")).hint(LOOK)
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

/// A query that the database does not understand: its tables are not those of this program.
fn other_tables(lack: &str) -> Error {
    Error::new(Kind::Config, format!("{PATH} was written by an fthost with other tables: {lack}")).hint(
        "go on with that version, or move the file away: records and transcripts are kept, and items that were in their \
         middle begin anew",
    )
}

/// The error of the database, in words.
pub(super) fn failed(doing: &str, error: &rusqlite::Error) -> Error {
    if let rusqlite::Error::SqlInputError { msg, .. } = error {
        return other_tables(msg);
    }
    let Some(code) = error.sqlite_error_code() else {
        return Error::new(Kind::Data, format!("cannot {doing} {PATH}: {error}")).hint(LOOK);
    };
    let disk = |kind: io::ErrorKind| atomic::disk_error(doing, Path::new(PATH), &io::Error::from(kind));
    match code {
        ErrorCode::DiskFull => disk(io::ErrorKind::StorageFull),
        ErrorCode::ReadOnly => disk(io::ErrorKind::ReadOnlyFilesystem),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => disk(io::ErrorKind::PermissionDenied),
        ErrorCode::SystemIoFailure => {
            // Which error it was, the database does not say.
            Error::new(Kind::Disk, format!("cannot {doing} {PATH}: the disk reports an error"))
                .hint("check the disk, and its limits (`ulimit -f`), then run again: what was saved is kept")
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            let message = format!("cannot {doing} {PATH}: another program has held it for a minute");
            Error::new(Kind::Disk, message).hint("end what holds it, then run again: what was saved is kept")
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => damaged(&words(error)),
        _ => Error::new(Kind::Disk, format!("cannot {doing} {PATH}: {}", words(error)))
            .hint("run again; if it stays, `fthost doctor` says whether the file is damaged"),
    }
}

/// The same of a run that has begun: what fails then stops it, and no script may catch it.
pub(super) fn stopping(error: Error) -> Error {
    match error.kind() {
        Kind::Data => Error::new(Kind::Disk, error.message()).or_hint(error.get_hint().map(str::to_string)),
        _ => error,
    }
}

/// What to do about a ledger that cannot be read.
const LOOK: &str = "`fthost doctor` says more, and with --repair saves what can be read of it; until then nothing is paid for";

/// What SQLite says, without its numbers.
fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words.clone(),
        other => other.to_string(),
    }
}
