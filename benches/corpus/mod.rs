//! Support chats for the benchmarks, the same in every run: sentences with changing words, names, numbers
//! and typing errors, mostly English, some German, Chinese, Japanese and Korean, some code. Names and errors
//! make words that come once, as real text has them: no tokenizer can live off remembering the few.

use std::collections::BTreeMap;

use fthost::pipeline::transcript::Exchange;

/// Lists of lines below `== name`. In a line, `{name}` is filled from the list of that name.
const PHRASES: &str = include_str!("phrases.txt");

/// Writes chats. The same seed gives the same chats.
pub struct Writer {
    lists: BTreeMap<&'static str, Vec<&'static str>>,
    state: u64,
}

impl Writer {
    pub fn new(seed: u64) -> Writer {
        let mut lists: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut name = "";
        for line in PHRASES.lines() {
            match line.strip_prefix("== ") {
                Some(next) => name = next,
                None => lists.entry(name).or_default().push(line),
            }
        }
        Writer { lists, state: seed }
    }

    /// A chat of so many exchanges: about 1,200 bytes each.
    pub fn conversation(&mut self, exchanges: usize) -> Vec<Exchange> {
        let language = match self.below(20) {
            0 | 1 => "german",
            2 => "cjk",
            _ => "english",
        };
        (0..exchanges).map(|_| self.exchange(language)).collect()
    }

    fn exchange(&mut self, language: &str) -> Exchange {
        let (asked, answered) = (1 + self.below(5), 5 + self.below(9));
        let user = self.message(language, asked, 25);
        let mut assistant = self.message(language, answered, 400);
        if self.below(20) == 0 {
            assistant.push_str("\n\n");
            assistant.push_str(&self.sentence("code"));
        }
        Exchange::new(user, assistant)
    }

    /// Sentences in paragraphs, with an error in one of so many words.
    fn message(&mut self, language: &str, sentences: usize, careful: usize) -> String {
        let mut text = String::new();
        for number in 0..sentences {
            if number > 0 {
                text.push_str(if self.below(4) == 0 { "\n\n" } else { " " });
            }
            let sentence = self.sentence(language);
            text.push_str(&self.typed(&sentence, careful));
        }
        text
    }

    fn sentence(&mut self, list: &str) -> String {
        let template = self.one_of(list).replace("\\n", "\n").replace("{{", "\u{1}").replace("}}", "\u{2}");
        let mut parts = template.split('{');
        let mut text = parts.next().unwrap_or_default().to_string();
        for part in parts {
            let (slot, rest) = part.split_once('}').unwrap_or(("", part));
            text.push_str(&self.filled(slot));
            text.push_str(rest);
        }
        text.replace('\u{1}', "{").replace('\u{2}', "}")
    }

    fn filled(&mut self, slot: &str) -> String {
        match slot {
            "small" => (1 + self.below(9)).to_string(),
            "n" => (10 + self.below(90)).to_string(),
            "price" => format!("{}.{:02}", 5 + self.below(1500), self.below(100)),
            "order" => format!("BH-{:05}-{}", self.below(100_000), char::from(b'A' + self.below(26) as u8)),
            "hex" => format!("{:08x}", self.next() >> 32),
            "user" => self.name(),
            "name" => {
                let name = self.name();
                name[..1].to_uppercase() + &name[1..]
            }
            list => self.one_of(list).to_string(),
        }
    }

    /// A name that nobody has: two to four syllables.
    fn name(&mut self) -> String {
        (0..2 + self.below(3)).map(|_| self.one_of("syllable")).collect()
    }

    /// The sentence as somebody types it: now and then two letters change places.
    fn typed(&mut self, sentence: &str, careful: usize) -> String {
        sentence.split_inclusive(' ').map(|word| self.word(word, careful)).collect()
    }

    fn word(&mut self, word: &str, careful: usize) -> String {
        let mut letters: Vec<char> = word.chars().collect();
        if letters.len() > 4 && self.below(careful) == 0 {
            let at = 1 + self.below(letters.len() - 3);
            letters.swap(at, at + 1);
        }
        letters.into_iter().collect()
    }

    fn one_of(&mut self, list: &str) -> &'static str {
        let count = self.lists.get(list).map_or(0, Vec::len);
        let at = self.below(count.max(1));
        self.lists.get(list).and_then(|lines| lines.get(at)).copied().unwrap_or_default()
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}
