//! A file that is written bit by bit, and appears whole or not at all. As long as it is the same as the one that
//! stands there, it is only compared, and what comes out the same stays untouched.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;

use rustix::fs::{Advice, fadvise};

use super::Project;
use super::atomic::{Aside, disk_error};
use crate::base::{Error, Kind, Result};

/// How much is read and written at once.
const BLOCK: usize = 1 << 18;

/// After how much the disk is told to begin: or it would do nothing until the end, and then all at once.
const FLUSHED: u64 = 32 << 20;

/// A file in the making; dropped before [`put`](Rewrite::put), it leaves nothing.
pub struct Rewrite<'p> {
    project: &'p Project,
    path: String,
    real: PathBuf,
    /// The file that stands there, read as far as it is the same.
    old: Option<BufReader<File>>,
    same: u64,
    /// For comparing.
    block: Vec<u8>,
    /// What is written aside, once something differs.
    new: Option<New<'p>>,
}

struct New<'p> {
    aside: Aside<'p>,
    file: BufWriter<File>,
    /// How much was written, and how much of that the disk was told of.
    length: u64,
    told: u64,
}

impl New<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        if self.length - self.told >= FLUSHED {
            // Begins to write, and does not wait. Best effort: the flush at the end counts.
            let _ = fadvise(&self.aside.file, self.told, NonZeroU64::new(FLUSHED), Advice::DontNeed);
            self.told += FLUSHED;
        }
        Ok(())
    }
}

impl<'p> Rewrite<'p> {
    pub(super) fn open(project: &'p Project, path: &str) -> Result<Rewrite<'p>> {
        let real = project.place_to_overwrite(path)?;
        let old = match project.open_read(path) {
            Ok(file) => Some(BufReader::with_capacity(BLOCK, file.into_std())),
            Err(error) if error.kind() == Kind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Rewrite { project, path: path.into(), real, old, same: 0, block: Vec::new(), new: None })
    }

    /// Adds what comes next.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.new.is_none() && self.goes_on_with(bytes)? {
            return Ok(());
        }
        let real = self.real.clone();
        self.begin()?.write(bytes).map_err(|e| disk_error("write", &real, &e))
    }

    /// Whether the old file goes on with these bytes; it is read past them then.
    fn goes_on_with(&mut self, bytes: &[u8]) -> Result<bool> {
        let Some(old) = &mut self.old else { return Ok(false) };
        self.block.clear();
        let read = old.take(bytes.len() as u64).read_to_end(&mut self.block);
        read.map_err(|e| Error::io(Kind::Data, "read", &self.path, &e))?;
        let same = self.block == bytes;
        if same {
            self.same += bytes.len() as u64;
        }
        Ok(same)
    }

    /// The file aside, begun with what was the same.
    fn begin(&mut self) -> Result<&mut New<'p>> {
        if self.new.is_none() {
            self.project.make_room(&self.real)?;
            let failed = |e: io::Error| disk_error("write", &self.real, &e);
            let aside = Aside::open(self.project.target(), &self.real)?;
            let mut file = BufWriter::with_capacity(BLOCK, aside.file.try_clone().map_err(failed)?);
            if let Some(old) = &mut self.old {
                old.seek(SeekFrom::Start(0)).map_err(failed)?;
                io::copy(&mut old.take(self.same), &mut file).map_err(failed)?;
            }
            self.old = None;
            self.new = Some(New { aside, file, length: self.same, told: 0 });
        }
        let missing = || Error::new(Kind::Internal, format!("{} was not begun", self.path));
        self.new.as_mut().ok_or_else(missing)
    }

    /// Ends the file and brings it to the disk, so that only its name is missing.
    pub fn finish(&mut self) -> Result<()> {
        if self.new.is_none() && self.is_all()? {
            return Ok(());
        }
        let real = self.real.clone();
        let new = self.begin()?;
        new.file.flush().map_err(|e| disk_error("write", &real, &e))?;
        new.aside.flush()
    }

    /// Whether the old file ends here.
    fn is_all(&mut self) -> Result<bool> {
        let Some(old) = &mut self.old else { return Ok(false) };
        let length =
            old.get_ref().metadata().map_err(|e| Error::io(Kind::Data, "read", &self.path, &e))?.len();
        Ok(length == self.same)
    }

    /// Whether the file that stands there is another one.
    pub fn differs(&self) -> bool {
        self.new.is_some()
    }

    /// Puts the finished file in its place, if it differs.
    pub fn put(self) -> Result<()> {
        self.new.map_or(Ok(()), |new| new.aside.put())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn project() -> (tempfile::TempDir, Project) {
        let dir = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        let project = Project::open(dir.path()).unwrap();
        (dir, project)
    }

    fn rewrite(project: &Project, parts: &[&str]) -> bool {
        let mut file = project.rewrite("data/x/a.txt").unwrap();
        parts.iter().for_each(|part| file.write(part.as_bytes()).unwrap());
        file.finish().unwrap();
        let differs = file.differs();
        file.put().unwrap();
        assert_eq!(project.read_text("data/x/a.txt").unwrap(), parts.concat());
        assert_eq!(project.list("data/x/**").unwrap(), ["data/x/a.txt"]);
        differs
    }

    #[test]
    fn what_comes_out_the_same_stays_untouched() {
        let (dir, project) = project();
        assert!(rewrite(&project, &[]), "an empty file is a file");
        assert!(!rewrite(&project, &[""]));
        assert!(rewrite(&project, &["one\n", "two\n", "three\n"]));
        let inode = || std::fs::metadata(dir.path().join("data/x/a.txt")).unwrap().ino();
        let before = inode();
        assert!(!rewrite(&project, &["one\ntwo\n", "three\n"]));
        assert_eq!(inode(), before);
        assert!(rewrite(&project, &["one\n", "two\n", "thrice\n"]), "the end differs");
        assert!(rewrite(&project, &["one\n", "two\n"]), "the end is missing");
        assert!(rewrite(&project, &["one\n", "two\n", "four\n"]), "more follows");
        assert!(rewrite(&project, &["One\n", "two\n", "four\n"]), "the beginning differs");
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let (dir, project) = project();
        project.write_whole("data/a.txt", b"old").unwrap();
        let mut file = project.rewrite("data/a.txt").unwrap();
        file.write(b"new").unwrap();
        let names = || std::fs::read_dir(dir.path().join("data")).unwrap().count();
        assert_eq!(names(), 2);
        file.finish().unwrap();
        drop(file);
        assert_eq!((names(), project.read_text("data/a.txt").unwrap().as_str()), (1, "old"));
    }

    #[test]
    fn a_directory_in_the_way_is_told_before_anything_is_written() {
        let (dir, project) = project();
        std::fs::create_dir(dir.path().join("data/a.txt")).unwrap();
        assert!(project.rewrite("data/a.txt").is_err());
    }
}
