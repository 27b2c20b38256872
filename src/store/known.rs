//! Texts of files that are read again and again, such as prompts' templates: one look at the file's stamp tells whether
//! what is known of it still holds.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A file that was changed this short before it was read may change again without a new stamp: what kernels count
/// time in is at most 10 ms ...
const TICKS: Duration = Duration::from_millis(100);

/// ... and some file systems know only seconds, or two of them.
const SECONDS: Duration = Duration::from_secs(4);

/// So long a look is good for: files are edited by hand, and many calls at a time ask for the same few.
const LOOK: Duration = Duration::from_millis(20);

/// What changes with a file: device, inode, size, and the times of the last change of content and of the inode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([i64; 7]);

/// The texts, by the paths that scripts use.
#[derive(Default)]
pub(super) struct KnownTexts(Mutex<HashMap<String, Known>>);

struct Known {
    stamp: Stamp,
    text: Arc<str>,
    /// When the file last had this stamp.
    looked: Instant,
}

impl KnownTexts {
    /// The text that was kept, if the file at this place is still the same.
    pub fn get(&self, path: &str, place: &Path) -> Option<Arc<str>> {
        let now = Instant::now();
        let (kept, text) = {
            let all = self.lock();
            let known = all.get(path)?;
            if now.saturating_duration_since(known.looked) < LOOK {
                return Some(known.text.clone());
            }
            (known.stamp, known.text.clone())
        };
        if stamp(place)? != kept {
            return None;
        }
        if let Some(known) = self.lock().get_mut(path).filter(|known| known.stamp == kept) {
            known.looked = now;
        }
        Some(text)
    }

    /// Keeps a text that was read after its file had this stamp.
    pub fn keep(&self, path: &str, before: Option<Stamp>, text: &Arc<str>) {
        let Some(stamp) = before.filter(|before| before.has_settled()) else { return };
        self.lock().insert(path.into(), Known { stamp, text: text.clone(), looked: Instant::now() });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stamp {
    fn has_settled(&self) -> bool {
        let [.., written, written_ns, changed, changed_ns] = self.0;
        let coarse = written_ns == 0 && changed_ns == 0;
        let at = |seconds: i64, ns: i64| Duration::new(seconds.unsigned_abs(), ns.unsigned_abs() as u32);
        let last = at(written, written_ns).max(at(changed, changed_ns));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now > last + if coarse { SECONDS } else { TICKS }
    }
}

/// The stamp of the file at a place.
pub(super) fn stamp(place: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(place).ok()?;
    let (device, inode, size) = (meta.dev() as i64, meta.ino() as i64, meta.size() as i64);
    Some(Stamp([device, inode, size, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Project;

    fn older(place: &Path, seconds: u64) {
        let file = std::fs::File::options().write(true).open(place).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn a_changed_file_is_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("t.md");
        let project = Project::open(dir.path()).unwrap();
        for text in ["one", "two", "ten"] {
            std::fs::write(&place, text).unwrap();
            assert_eq!(&*project.known_text("t.md").unwrap(), text);
        }
        std::fs::remove_file(&place).unwrap();
        assert!(project.known_text("t.md").is_err());
    }

    #[test]
    fn what_is_kept_is_held_against_its_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("t.md");
        std::fs::write(&place, "one").unwrap();
        let texts = KnownTexts::default();
        let old = Stamp({
            let mut stamp = stamp(&place).unwrap().0;
            (stamp[3], stamp[5]) = (1, 1);
            stamp
        });
        texts.keep("t.md", stamp(&place), &"fresh".into());
        assert!(texts.get("t.md", &place).is_none(), "it has just been changed");
        texts.keep("t.md", Some(old), &"one".into());
        std::thread::sleep(LOOK);
        assert!(texts.get("t.md", &place).is_none(), "it has another stamp");
        older(&place, 100);
        let now = stamp(&place).unwrap();
        let known = Known { stamp: now, text: "one".into(), looked: Instant::now() - LOOK };
        texts.lock().insert("t.md".into(), known);
        assert_eq!(texts.get("t.md", &place).as_deref(), Some("one"));
        older(&place, 50);
        std::thread::sleep(LOOK);
        assert!(texts.get("t.md", &place).is_none());
    }
    #[test]
    fn a_link_that_leads_elsewhere_is_another_file() {
        let dir = tempfile::tempdir().unwrap();
        let [link, one, two] = ["t.md", "one.md", "two.md"].map(|name| dir.path().join(name));
        std::fs::write(&one, "one").unwrap();
        std::fs::write(&two, "two").unwrap();
        std::os::unix::fs::symlink("one.md", &link).unwrap();
        std::thread::sleep(TICKS * 2);
        let project = Project::open(dir.path()).unwrap();
        assert_eq!(&*project.known_text("t.md").unwrap(), "one");
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("two.md", &link).unwrap();
        std::thread::sleep(LOOK);
        assert_eq!(&*project.known_text("t.md").unwrap(), "two");
    }
}
