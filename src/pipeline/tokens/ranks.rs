//! An encoding's vocabulary as a table from bytes to rank. (A token's rank is its number: the lower, the earlier it is merged.)
//!
//! The files in the folder `vocabulary` hold the tokens in the order of their ranks, each as its length in one byte and its bytes. They
//! are made of tiktoken-rs's vocabulary, see `tests/suite/tokens.rs`, and only read here: tiktoken-rs itself takes thirty times
//! as long to load them.

use rustc_hash::FxHashMap;

use super::split::Window;

/// No token has this rank.
pub const NONE: u32 = u32::MAX;

/// How far left in a slot the rank stands.
const RANK: u32 = 108;

/// A vocabulary. It never changes, so threads share it without a lock.
pub struct Ranks {
    /// Tokens of up to 13 bytes: a hash table with open addressing, at most four fifths full. A slot is a [`Window::key`] with the
    /// rank above it, or zero. So a look into it touches one line of memory, and compares no bytes one by one.
    slots: Vec<u128>,
    /// By how much a hash is shifted to be a slot's number.
    shift: u32,
    /// A bit for each hash that some token in `slots` has, eight times as many as slots. Most neighbours that a merge asks for are
    /// no token; these bits say so of most of them, and stay in a near cache as the slots do not.
    filter: Vec<u64>,
    /// The ranks of the tokens of two bytes, where every merge begins: a row for each first byte.
    twos: Vec<u32>,
    /// The longer tokens.
    long: FxHashMap<&'static [u8], u32>,
}

impl Ranks {
    /// Reads a vocabulary file.
    pub fn read(file: &'static [u8]) -> Ranks {
        let count = tokens(file).count();
        let slots = (count + count / 4).next_power_of_two().max(64);
        let mut ranks = Ranks {
            slots: vec![0; slots],
            shift: 64 - slots.trailing_zeros(),
            filter: vec![0; slots / 8],
            twos: vec![NONE; 1 << 16],
            long: FxHashMap::default(),
        };
        for (rank, token) in tokens(file).enumerate() {
            ranks.insert(token, rank as u32);
        }
        ranks
    }

    fn insert(&mut self, token: &'static [u8], rank: u32) {
        if token.len() > Window::KEY {
            self.long.insert(token, rank);
            return;
        }
        if let [first, second] = token {
            self.twos[two(*first, *second)] = rank;
        }
        let key = Window::at(token, 0).key(token.len());
        let hash = hash(key);
        let slot = self.slot(key, hash);
        self.slots[slot] = u128::from(rank) << RANK | key;
        let (word, bit) = self.filter_bit(hash);
        self.filter[word] |= bit;
    }

    /// The slot that has a key, or the empty one where it would be.
    #[inline(always)]
    fn slot(&self, key: u128, hash: u64) -> usize {
        let mut slot = (hash >> self.shift) as usize;
        loop {
            let found = self.slots[slot];
            // one branch for both ends of the search, since nobody can foretell which it will be
            if ((found ^ key) << (128 - RANK) == 0) | (found == 0) {
                return slot;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// Where in the filter a hash has its bit.
    #[inline(always)]
    fn filter_bit(&self, hash: u64) -> (usize, u64) {
        let number = hash >> (self.shift - 3);
        ((number / 64) as usize, 1 << (number % 64))
    }

    /// Whether the part of a text from `start` to `end` is a token; `window` is the text from there.
    #[inline(always)]
    pub fn has(&self, text: &[u8], start: usize, end: usize, window: Window) -> bool {
        match end - start {
            short @ 0..=Window::KEY => {
                let key = window.key(short);
                self.slots[self.slot(key, hash(key))] != 0
            }
            _ => self.long.contains_key(&text[start..end]),
        }
    }

    /// The rank of two bytes.
    #[inline(always)]
    pub fn rank_of_two(&self, first: u8, second: u8) -> u32 {
        self.twos[two(first, second)]
    }

    /// The rank of the part of a text from `start` to `end`, which is not empty; [`NONE`] if it is no token.
    #[inline]
    pub fn rank(&self, text: &[u8], start: usize, end: usize) -> u32 {
        match end - start {
            short @ 0..=Window::KEY => self.rank_of_key(Window::at(text, start).key(short)),
            _ => self.long.get(&text[start..end]).copied().unwrap_or(NONE),
        }
    }

    #[inline(always)]
    fn rank_of_key(&self, key: u128) -> u32 {
        let hash = hash(key);
        let (word, bit) = self.filter_bit(hash);
        if self.filter[word] & bit == 0 {
            return NONE;
        }
        match self.slots[self.slot(key, hash)] {
            0 => NONE,
            slot => (slot >> RANK) as u32,
        }
    }
}

/// The number of two bytes.
#[inline(always)]
fn two(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// The hash of a key; its highest bits are the best.
#[inline(always)]
fn hash(key: u128) -> u64 {
    let folded = (key as u64) ^ ((key >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    folded.wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// The tokens of a vocabulary file.
fn tokens(file: &'static [u8]) -> impl Iterator<Item = &'static [u8]> {
    let mut rest = file;
    std::iter::from_fn(move || {
        let (length, more) = rest.split_first()?;
        let (token, more) = more.split_at_checked(usize::from(*length))?;
        rest = more;
        Some(token)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_ranks_of_their_places() {
        let ranks = Ranks::read(b"\x01a\x01b\x02ab\x01\0\x02a\0\x10abcdefghijklmnop\x0fabcdefghijklmno");
        let rank = |text: &[u8]| ranks.rank(text, 0, text.len());
        assert_eq!([rank(b"a"), rank(b"b"), rank(b"ab"), rank(b"\0"), rank(b"a\0")], [0, 1, 2, 3, 4]);
        assert_eq!([rank(b"abcdefghijklmnop"), rank(b"abcdefghijklmno")], [5, 6]);
        assert_eq!([rank(b"c"), rank(b"ba"), rank(b"abcdefghijklmnoq"), rank(b"abcdefghijklmn")], [NONE; 4]);
    }
}
