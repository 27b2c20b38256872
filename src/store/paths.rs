//! Which paths scripts may touch. A path is judged twice: as it is written, and as it resolves, since
//! a link in `data/` can point at a secret that still stands inside of the root.

use std::io;
use std::path::{Component, Path, PathBuf};

use cap_std::fs::Dir;

use crate::base::{Error, Kind, Result, suggest};

const READS: &str = "scripts read inside of the project only, without .env*, .git and .fthost";
const WRITES: &str = "scripts write below data/ only";

/// Whether scripts may not see an entry of this name, in any spelling.
pub fn is_forbidden(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with(".env") || name == ".git" || name == ".fthost"
}

/// Whether any part of `path` is forbidden.
pub fn has_forbidden(path: &Path) -> bool {
    path.components().any(|part| is_forbidden(&part.as_os_str().to_string_lossy()))
}

/// The path with `/` between its parts, relative to the root.
pub fn display(path: &Path) -> String {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Where an existing `path` really stands below the root, if scripts may read it.
pub fn resolve(dir: &Dir, path: &str) -> Result<PathBuf> {
    judge_words(path)?;
    let real = plain(&dir.canonicalize(path).map_err(|e| lookup_error(dir, path, &e))?);
    if has_forbidden(&real) { Err(denied(path, READS)) } else { Ok(real) }
}

/// Without parts that say nothing.
pub(super) fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// Where a path stands or would stand: what exists of it is resolved, and readable for scripts; the rest is
/// as it is written. The flag tells whether the rest are plain names.
pub(super) fn place(dir: &Dir, path: &str) -> Result<(PathBuf, bool)> {
    judge_words(path)?;
    let (base, rest) = split_existing(dir, Path::new(path));
    let base = base.to_str().filter(|base| !base.is_empty()).unwrap_or(".");
    let base = resolve(dir, base).map_err(|e| broken_link(path, e))?;
    let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    // Part by part: joining an empty path would add a slash.
    Ok((base.components().chain(rest.components()).collect(), plain))
}

/// Where a file that may not exist yet would stand, if scripts may write there.
pub fn resolve_for_write(dir: &Dir, path: &str) -> Result<PathBuf> {
    judge_words(path)?;
    if path.ends_with('/') {
        return Err(Error::new(Kind::Argument, format!("`{path}` names a directory, not a file")));
    }
    let (real, plain) = place(dir, path)?;
    let below_data = real.starts_with("data") && real.components().count() > 1;
    if !plain || !below_data || has_forbidden(&real) {
        return Err(denied(path, WRITES));
    }
    if dir.is_dir(&real) { Err(is_directory(path)) } else { Ok(real) }
}

/// The error of a directory where a file is to be written.
pub(super) fn is_directory(path: &str) -> Error {
    Error::new(Kind::Argument, format!("`{path}` is a directory, not a file"))
}

/// A link that leads nowhere would be created where it points, which may be a forbidden place.
fn broken_link(path: &str, error: Error) -> Error {
    if error.kind() == Kind::NotFound { denied(path, "it is a link that leads nowhere") } else { error }
}

/// Splits off the parts of `path` that do not exist (or cannot be followed).
fn split_existing(dir: &Dir, path: &Path) -> (PathBuf, PathBuf) {
    let parts: Vec<Component> = path.components().collect();
    let existing = |count: &usize| dir.symlink_metadata(parts[..*count].iter().collect::<PathBuf>()).is_ok();
    let count = (1..=parts.len()).rev().find(existing).unwrap_or(0);
    (parts[..count].iter().collect(), parts[count..].iter().collect())
}

/// Refuses what needs no look at the disk.
fn judge_words(path: &str) -> Result<()> {
    if path.is_empty() || path.contains('\0') {
        return Err(Error::new(Kind::Argument, "a path may not be empty or contain a NUL character"));
    }
    let mut depth = 0i64;
    for part in Path::new(path).components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth -= 1,
            Component::RootDir | Component::Prefix(_) => {
                return Err(denied(path, "give a path relative to the project's root"));
            }
        }
        if depth < 0 {
            return Err(denied(path, READS));
        }
    }
    if has_forbidden(Path::new(path)) { Err(denied(path, READS)) } else { Ok(()) }
}

/// The error of a path that scripts may not touch.
pub fn denied(path: &str, why: &str) -> Error {
    Error::new(Kind::Denied, format!("`{path}` is out of bounds for scripts")).hint(why)
}

/// Words a failed lookup: `cap_std` reports an escape as an error that no system call gave.
pub fn lookup_error(dir: &Dir, path: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => denied(path, READS),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => not_found(dir, path),
        _ => Error::io(Kind::Data, "read", path, error),
    }
}

/// "No such file", with the nearest name among those that stand beside it.
fn not_found(dir: &Dir, path: &str) -> Error {
    let (base, rest) = split_existing(dir, Path::new(path));
    let error = Error::new(Kind::NotFound, format!("there is no file `{path}`"));
    let missing = rest.iter().next().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let known = sibling_names(dir, &base);
    match suggest::nearest(&missing, known.iter().map(String::as_str)) {
        Some(name) => error.hint(format!("did you mean `{}`?", display(&base.join(name)))),
        None => error.hint("paths are relative to the project's root"),
    }
}

/// What stands in a directory, as far as scripts may know.
fn sibling_names(dir: &Dir, base: &Path) -> Vec<String> {
    let base = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    let allowed = dir.canonicalize(base).is_ok_and(|real| !has_forbidden(&real));
    let entries = if allowed { dir.read_dir(base).ok() } else { None };
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| !is_forbidden(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_names_are_known_in_any_spelling() {
        for name in [".env", ".ENV", ".env.local", ".Git", ".fthost", ".FTHOST"] {
            assert!(is_forbidden(name), "{name}");
        }
        for name in ["env", ".gitignore", "x.env", ".github", "fthost"] {
            assert!(!is_forbidden(name), "{name}");
        }
    }

    #[test]
    fn words_alone_settle_the_plain_cases() {
        assert_eq!(judge_words("/etc/passwd").unwrap_err().kind(), Kind::Denied);
        assert_eq!(judge_words("data/../../x").unwrap_err().kind(), Kind::Denied);
        assert_eq!(judge_words("").unwrap_err().kind(), Kind::Argument);
        assert!(judge_words("data/../config/x.yaml").is_ok());
    }
}
