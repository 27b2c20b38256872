//! JSON Lines, read on all cores. A last line that a writer has not finished is passed over; another that cannot be
//! read is noted.

use std::io::{BufRead, BufReader};

use serde::de::DeserializeOwned;

use super::Notes;
use crate::base::{Error, Kind, Result};
use crate::work::{World, in_order};

/// A line: its number, its bytes, and whether a line break ends it.
type Line = (usize, Vec<u8>, bool);

/// What `make` makes of each line that is not empty, in their order; its error is what is wrong with the line.
pub fn each<T: Send>(
    world: &World,
    path: &str,
    notes: &mut Notes,
    make: impl Fn(&[u8]) -> Result<T, String> + Sync,
    mut take: impl FnMut(T) + Send,
) -> Result<()> {
    let file = match world.project.open_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == Kind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let parse = |line: Result<Line>| {
        world.stop.check()?;
        let (number, bytes, ended) = line?;
        Ok((number, ended, make(&bytes)))
    };
    in_order::run(&world.threads, in_order::cores(), lines(path, BufReader::new(file)), parse, |made| {
        match made {
            (_, _, Ok(value)) => take(value),
            (_, false, Err(_)) => {}
            (number, true, Err(what)) => notes.add(format!("{path}, line {number}: {what}: it is left out")),
        }
        Ok(())
    })
}

fn lines<'a>(
    path: &'a str,
    mut file: impl BufRead + Send + 'a,
) -> impl Iterator<Item = Result<Line>> + Send + 'a {
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            let mut line = Vec::new();
            number += 1;
            match file.read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Err(error) => return Some(Err(Error::io(Kind::Data, "read", path, &error))),
                Ok(_) if line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(_) => {
                    let ended = line.last() == Some(&b'\n');
                    return Some(Ok((number, line, ended)));
                }
            }
        }
    })
}

/// All lines as values of one type.
pub fn typed<T: DeserializeOwned + Send>(world: &World, path: &str, notes: &mut Notes) -> Result<Vec<T>> {
    let mut all = Vec::new();
    let parse = |line: &[u8]| serde_json::from_slice::<T>(line).map_err(|error| error.to_string());
    each(world, path, notes, parse, |value| all.push(value))?;
    Ok(all)
}
