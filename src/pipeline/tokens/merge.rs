//! Byte-pair merging: into how many tokens a piece falls that is no token itself.
//!
//! The piece is taken as single bytes. Of all neighbours that together make a token, those of the lowest rank are joined
//! first, of equal ones the leftmost, until no two neighbours make a token. So the encodings are defined, and both ways
//! below do just that: one for the usual short pieces, one whose time is n log n.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::ranks::{NONE, Ranks};

/// The longest piece that is merged by looking through all of its pairs for each next one.
const SHORT: usize = 128;

/// The tokens of a piece: of the bytes of a text from `start` to `end`.
pub fn count(ranks: &Ranks, text: &[u8], start: usize, end: usize) -> usize {
    match end - start {
        0..=SHORT => Short::new(ranks, text, start, end).merge(),
        _ => Long::new(ranks, &text[start..end]).merge(),
    }
}

/// A short piece: the lowest of a few numbers is found faster than a heap is kept. Places count from the piece's start; a part
/// goes by the place of its first byte.
struct Short<'a> {
    ranks: &'a Ranks,
    text: &'a [u8],
    start: usize,
    length: u8,
    /// Of each part, the pair that it makes with the next one.
    pairs: [i32; SHORT],
    /// Of each part, where the next one starts; the last byte's next is the end, and so is that of the end.
    after: [u8; 256],
    /// Of each part, where the one before it starts.
    before: [u8; 256],
}

/// No pair that is a token.
const NO_PAIR: i32 = i32::MAX;

/// As many pairs are compared at once.
const LANES: usize = 16;

/// Every place's next one, and the one before it.
const AFTER: [u8; 256] = shifted(1);
const BEFORE: [u8; 256] = shifted(255);

const fn shifted(by: u8) -> [u8; 256] {
    let mut places = [0; 256];
    let mut place = 0;
    while place < 256 {
        places[place] = (place as u8).wrapping_add(by);
        place += 1;
    }
    places
}

/// A pair that is a token, by its rank, then its place: ranks are below 2^24, places below 2^7.
fn pair(rank: u32, place: usize) -> i32 {
    if rank == NONE { NO_PAIR } else { (rank as i32) << 7 | place as i32 }
}

impl<'a> Short<'a> {
    /// A piece as single bytes.
    fn new(ranks: &'a Ranks, text: &'a [u8], start: usize, end: usize) -> Short<'a> {
        let mut pairs = [NO_PAIR; SHORT];
        let bytes = &text[start..end];
        for (place, (two, found)) in bytes.windows(2).zip(&mut pairs).enumerate() {
            *found = pair(ranks.rank_of_two(two[0], two[1]), place);
        }
        Short { ranks, text, start, length: bytes.len() as u8, pairs, after: AFTER, before: BEFORE }
    }

    /// The parts that are left when all is merged.
    fn merge(mut self) -> usize {
        let mut count = usize::from(self.length);
        let used = count.next_multiple_of(LANES);
        loop {
            match lowest(&self.pairs[..used]) {
                NO_PAIR => return count,
                lowest => self.join((lowest & 127) as u8),
            }
            count -= 1;
        }
    }

    /// Joins a part with the next one.
    fn join(&mut self, left: u8) {
        let gone = self.after[usize::from(left)];
        let right = self.after[usize::from(gone)];
        self.pairs[usize::from(gone)] = NO_PAIR;
        self.after[usize::from(left)] = right;
        self.before[usize::from(right)] = left;
        self.pairs[usize::from(left)] = match right < self.length {
            true => self.pair(left, self.after[usize::from(right)]),
            false => NO_PAIR,
        };
        if left > 0 {
            let before = self.before[usize::from(left)];
            self.pairs[usize::from(before)] = self.pair(before, right);
        }
    }

    /// The pair that starts and ends there.
    fn pair(&self, start: u8, end: u8) -> i32 {
        let place = |at: u8| self.start + usize::from(at);
        pair(self.ranks.rank(self.text, place(start), place(end)), start.into())
    }
}

/// The lowest of some pairs, whose number is a multiple of [`LANES`].
#[inline(always)]
fn lowest(pairs: &[i32]) -> i32 {
    let mut lowest = [NO_PAIR; LANES];
    for lanes in pairs.as_chunks::<LANES>().0 {
        for (lowest, pair) in lowest.iter_mut().zip(lanes) {
            *lowest = *pair.min(lowest);
        }
    }
    lowest.into_iter().fold(NO_PAIR, i32::min)
}

/// A long piece. Of the state of the merge only where parts start is kept, in a bit each: whether a pair in the heap is still
/// one can be seen by its rank, since a part only grows, and another text has another rank.
struct Long<'a> {
    ranks: &'a Ranks,
    piece: &'a [u8],
    starts: Starts,
    /// The pairs that are tokens, the next one to join first: rank, then place, in one number.
    pairs: BinaryHeap<Reverse<u64>>,
}

/// How far left in such a number the rank stands.
const RANK: u32 = 40;

impl<'a> Long<'a> {
    /// A piece as single bytes.
    fn new(ranks: &'a Ranks, piece: &'a [u8]) -> Long<'a> {
        let mut long =
            Long { ranks, piece, starts: Starts::every(piece.len()), pairs: BinaryHeap::default() };
        long.pairs = (0..piece.len()).filter_map(|at| long.pair(at)).collect::<Vec<_>>().into();
        long
    }

    /// The parts that are left when all is merged.
    fn merge(mut self) -> usize {
        let mut count = self.piece.len();
        while let Some(Reverse(next)) = self.pairs.pop() {
            let left = (next & ((1 << RANK) - 1)) as usize;
            if self.starts.has(left) && self.pair(left) == Some(Reverse(next)) {
                self.join(left);
                count -= 1;
            }
        }
        count
    }

    /// Joins a part with the next one.
    fn join(&mut self, left: usize) {
        self.starts.remove(self.starts.after(left));
        self.pairs.extend(self.pair(left));
        if let Some(before) = self.starts.before(left) {
            self.pairs.extend(self.pair(before));
        }
    }

    /// The pair that a part makes with the next one, if that is a token.
    fn pair(&self, left: usize) -> Option<Reverse<u64>> {
        let middle = self.starts.after(left);
        if middle == self.piece.len() {
            return None;
        }
        let rank = self.ranks.rank(self.piece, left, self.starts.after(middle));
        (rank != NONE).then_some(Reverse(u64::from(rank) << RANK | left as u64))
    }
}

/// Where the parts of a piece start, a bit for each byte. A part is a token, at most 128 bytes long: the next one is near.
struct Starts {
    bits: Vec<u64>,
    length: usize,
}

impl Starts {
    /// Every byte of a piece.
    fn every(length: usize) -> Starts {
        let mut bits = vec![u64::MAX; length / 64 + 1];
        bits[length / 64] = (1 << (length % 64)) - 1;
        Starts { bits, length }
    }

    fn has(&self, at: usize) -> bool {
        self.bits[at / 64] >> (at % 64) & 1 == 1
    }

    fn remove(&mut self, at: usize) {
        self.bits[at / 64] &= !(1 << (at % 64));
    }

    /// The next start after one; the piece's length if that was the last.
    fn after(&self, at: usize) -> usize {
        let (mut word, from) = ((at + 1) / 64, (at + 1) % 64);
        let mut bits = self.bits.get(word).map_or(0, |bits| bits >> from << from);
        while bits == 0 {
            word += 1;
            match self.bits.get(word) {
                Some(next) => bits = *next,
                None => return self.length,
            }
        }
        word * 64 + bits.trailing_zeros() as usize
    }

    /// The last start before one.
    fn before(&self, at: usize) -> Option<usize> {
        let mut word = at / 64;
        let mut bits = self.bits[word] & ((1 << (at % 64)) - 1);
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.bits[word];
        }
        Some(word * 64 + 63 - bits.leading_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word.
    fn defined(ranks: &Ranks, piece: &[u8]) -> usize {
        let mut parts: Vec<&[u8]> = piece.chunks(1).collect();
        let rank = |parts: &[&[u8]], at: usize| {
            let joined = [parts[at], parts[at + 1]].concat();
            ranks.rank(&joined, 0, joined.len())
        };
        while let Some(at) = (0..parts.len() - 1).min_by_key(|at| rank(&parts, *at))
            && rank(&parts, at) != NONE
        {
            let from: usize = parts[..at].iter().map(|part| part.len()).sum();
            let length = parts[at].len() + parts.remove(at + 1).len();
            parts[at] = &piece[from..from + length];
        }
        parts.len()
    }

    #[test]
    fn both_ways_do_what_is_defined() {
        let ranks = &super::super::CL100K;
        let alphabets =
            ["a", "ab", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "aeioubcdfgst", "!-=_ ", "中文字の", "\u{301}é"];
        let mut state = 1u64;
        for length in [2, 3, 15, 16, 17, 63, 64, 65, 120, 127, 128] {
            for alphabet in alphabets {
                let bytes = std::iter::repeat_with(|| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    alphabet.as_bytes()[(state >> 33) as usize % alphabet.len()]
                });
                let piece: Vec<u8> = bytes.take(length).collect();
                let expected = defined(ranks, &piece);
                assert_eq!(Short::new(ranks, &piece, 0, length).merge(), expected, "{piece:?}");
                assert_eq!(Long::new(ranks, &piece).merge(), expected, "{piece:?}");
            }
        }
    }

    #[test]
    fn a_piece_is_a_part_of_its_text() {
        let ranks = &super::super::CL100K;
        let text = b"xx brewings.of quux";
        assert_eq!(count(ranks, text, 2, 11), defined(ranks, b" brewings"));
    }

    #[test]
    fn starts_are_found_over_gaps() {
        let mut starts = Starts::every(200);
        (1..199).for_each(|at| starts.remove(at));
        assert_eq!(
            (starts.after(0), starts.after(199), starts.before(199), starts.before(0)),
            (199, 200, Some(0), None)
        );
        let starts = Starts::every(128);
        assert_eq!((starts.after(63), starts.after(127), starts.before(64)), (64, 128, Some(63)));
    }
}
