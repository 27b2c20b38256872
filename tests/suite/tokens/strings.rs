//! Strings that a splitter of text may get wrong: every class of Unicode beside every other, contractions in every case, runs
//! of white space with line breaks, special tokens' texts, and pieces of this repository's documents and code.

use std::fs;

use regex_syntax::hir::{Class, HirKind};

use crate::support::root;

/// The general categories of Unicode, as a pattern names them, and what patterns ask for besides.
const CLASSES: &[&str] = &[
    "Lu",
    "Ll",
    "Lt",
    "Lm",
    "Lo",
    "Mn",
    "Mc",
    "Me",
    "Nd",
    "Nl",
    "No",
    "Pc",
    "Pd",
    "Ps",
    "Pe",
    "Pi",
    "Pf",
    "Po",
    "Sm",
    "Sc",
    "Sk",
    "So",
    "Zs",
    "Zl",
    "Zp",
    "Cc",
    "Cf",
    "Co",
    "Cn",
    "White_Space",
];

/// What patterns treat in a way of its own, and its neighbours.
const TRAPS: &[&str] = &[
    "'",
    "'",
    "’",
    "'s",
    "'S",
    "'ſ",
    "'t",
    "'T",
    "'re",
    "'rE",
    "'Re",
    "'VE",
    "'ve",
    "'m",
    "'M",
    "'ll",
    "'lL",
    "'LL",
    "'d",
    "'D",
    "'l",
    "'r",
    "'v",
    "'x",
    "''s",
    "s",
    "S",
    "ſ",
    "\u{212A}",
    "ı",
    "İ",
    "ß",
    "ǅ",
    "ʰ",
    "ª",
    "\u{301}",
    "\u{20DD}",
    "\u{903}",
    " ",
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\u{b}",
    "\u{c}",
    "\u{1c}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{3000}",
    "\u{200b}",
    "\u{feff}",
    "\u{0}",
    "/",
    "//",
    "/\n",
    "!",
    "!\n",
    "-",
    "_",
    "1",
    "12",
    "123",
    "1234",
    "٣",
    "Ⅷ",
    "½",
    "𝟗",
    "a",
    "A",
    "aB",
    "Ab",
    "AB",
    "HTMLElement",
    "éÉ",
    "中",
    "あ",
    "한",
    "ا",
    "ก็",
    "नि",
    "😀",
    "👩‍🔬",
    "🇩🇪",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|endofprompt|>",
    "<|start|>assistant<|message|>",
    "don't",
    "I'LL",
    "it’s",
    " the",
    " The",
];

/// The members of a class.
fn members(class: &str) -> Vec<(u32, u32)> {
    match regex_syntax::parse(&format!(r"\p{{{class}}}")).unwrap().into_kind() {
        HirKind::Class(Class::Unicode(set)) => {
            set.iter().map(|range| (range.start() as u32, range.end() as u32)).collect()
        }
        // a class of one code point
        HirKind::Literal(one) => {
            str::from_utf8(&one.0).unwrap().chars().map(|c| (c as u32, c as u32)).collect()
        }
        _ => panic!("{class} is no class"),
    }
}

/// The first and last code points of every range of every class.
pub fn edges() -> Vec<char> {
    let ranges = CLASSES.iter().flat_map(|class| members(class));
    let mut edges: Vec<char> =
        ranges.flat_map(|(first, last)| [first, last]).filter_map(char::from_u32).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// The repository's own texts: prose, scripts, YAML, transcripts, vectors.
pub fn documents() -> Vec<String> {
    let folders = ["docs", "scripts", "stdlib", "config", "config/prompts", "tests/golden", "src/pipeline"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap().flatten());
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// An endless source of strings, the same ones for the same seed.
pub struct Strings {
    state: u64,
    classes: Vec<Vec<(u32, u32)>>,
    documents: Vec<String>,
}

impl Strings {
    pub fn new(seed: u64) -> Strings {
        let classes = CLASSES.iter().map(|class| members(class)).collect();
        Strings { state: seed, classes, documents: documents() }
    }

    /// A string: mostly short ones, some of hundreds of parts.
    pub fn next(&mut self) -> String {
        let parts = match self.below(100) {
            0 => 1 + self.below(400),
            1..10 => 1 + self.below(50),
            _ => 1 + self.below(9),
        };
        // few kinds in one string meet more often
        let kinds: Vec<usize> = (0..1 + self.below(4)).map(|_| self.below(100)).collect();
        let mut text = String::new();
        for _ in 0..parts {
            let kind = kinds[self.below(kinds.len())];
            self.part(kind, &mut text);
        }
        text
    }

    fn part(&mut self, kind: usize, text: &mut String) {
        match kind {
            0..30 => text.push(self.of_class(kind % CLASSES.len())),
            30..40 => {
                let class = self.below(CLASSES.len());
                text.push(self.of_class(class));
            }
            40..75 => text.push_str(TRAPS[self.below(TRAPS.len())]),
            75..80 => {
                let times = 1 + self.below(40);
                text.push_str(&TRAPS[self.below(TRAPS.len())].repeat(times));
            }
            80..85 => text.push((b' ' + self.below(95) as u8) as char),
            85..90 => text.push(char::from_u32(self.below(0x11_0000) as u32).unwrap_or('\u{d7ff}')),
            _ => self.quote(text),
        }
    }

    fn of_class(&mut self, class: usize) -> char {
        let range = self.below(self.classes[class].len());
        let (first, last) = self.classes[class][range];
        char::from_u32(first + self.below((last - first + 1) as usize) as u32).unwrap_or('\u{e000}')
    }

    /// Some characters of a document, from anywhere.
    fn quote(&mut self, text: &mut String) {
        let document = self.below(self.documents.len());
        let (skipped, length) = (self.below(self.documents[document].len() + 1), 1 + self.below(60));
        let document = &self.documents[document];
        let start = document.floor_char_boundary(skipped);
        text.extend(document[start..].chars().take(length));
    }

    /// A number below this one, by the generator of Vigna's `splitmix64`.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}
