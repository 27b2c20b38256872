//! What is stormed: the shipped project at a server whose replies tell their question, and the dice.

use std::sync::Mutex;
use std::time::Duration;

use fault_server::{Answer, Fault, Faults, Logical, ModelServer, Received, fit};

use crate::support::TestProject;

/// Dollars per million tokens: of prompts, and of replies.
pub const PRICE: (f64, f64) = (2.5, 10.0);

/// Items at a time.
pub const AT_ONCE: usize = 6;

/// Judges, who are asked at the same time.
pub const JUDGES: usize = 2;

/// What a fault may be: each one passes.
const FAULTS: [Fault; 6] = [
    Fault::RateLimitExact,
    Fault::Failed,
    Fault::Unavailable,
    Fault::Reset,
    Fault::HalfBody,
    Fault::Malformed,
];

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub personas: usize,
    pub turns: usize,
    /// Of a hundred requests.
    pub share_of_faults: u64,
}

impl Size {
    /// A command with the settings that make it so large.
    pub fn words(&self, command: &str) -> String {
        let Size { personas, turns, .. } = self;
        format!("{command} -s personas={personas} -s turns={turns} --concurrency {AT_ONCE}")
    }
}

/// Numbers by a seed: splitmix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Others, which follow from these.
    pub fn fork(&mut self) -> Dice {
        Dice(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A time from the first to the second, in milliseconds.
    pub fn time(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_micros(least * 1000 + self.below((most - least) * 1000 + 1))
    }
}

/// A server whose answers take 2 to 20 ms.
pub fn serve(size: &Size, mut dice: Dice) -> ModelServer {
    let server = ModelServer::start();
    server.set_latency(dice.time(2, 20));
    server.set_faults(Faults { retry_after: Duration::from_millis(30), ..Faults::default() });
    let (share, dice) = (size.share_of_faults, Mutex::new(dice));
    server.set_rule(move |asked| {
        let mut dice = dice.lock().unwrap();
        match dice.below(100) < share {
            true => Answer::Fault(FAULTS[dice.below(FAULTS.len() as u64) as usize]),
            false => reply(asked),
        }
    });
    server
}

/// A reply that has the first digits of its question's hash; some judges need a second try.
fn reply(asked: &Received) -> Answer {
    let logical = asked.logical();
    let Some(schema) = &logical.schema else { return Answer::Usual };
    let hash = logical.hash();
    match logical.messages.len() == 1 && b"08".contains(&hash.as_bytes()[0]) {
        true => Answer::Text(format!("I think that it is fine: {}.", &hash[..8])),
        false => Answer::Text(verdict(&fit(schema), &hash, &logical)),
    }
}

/// Mostly YES.
fn verdict(fitting: &serde_json::Value, hash: &str, asked: &Logical) -> String {
    let mut verdict = fitting.clone();
    for (place, (_, criterion)) in verdict.as_object_mut().unwrap().iter_mut().enumerate() {
        criterion["reasoning"] = format!("{} by {}", &hash[..8], asked.model).into();
        let digit = hash.as_bytes()[10 + place];
        criterion["answer"] = if digit == b'0' { "NO" } else { "YES" }.into();
    }
    verdict.to_string()
}

/// What a reply tells of its question: eight digits of the hash.
pub fn mark(text: &str) -> Option<String> {
    let is_mark = |word: &&str| {
        word.len() == 8 && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    text.split(|c: char| !c.is_ascii_alphanumeric()).find(is_mark).map(str::to_string)
}

/// The shipped project with priced backends at the server.
pub fn pipeline(server: &ModelServer) -> TestProject {
    let project = TestProject::shipped();
    let backend = |name: &str| {
        let (input, output) = PRICE;
        format!(
            "  {name}: {{kind: openai-chat, model: {name}, base_url: \"{}\", api_key_env: null, max_tokens: 900, \
             price: {{input: {input}, output: {output}}}}}\n",
            server.url()
        )
    };
    let backends: String = ["talker", "strict", "lenient"].map(backend).concat();
    let roles =
        "{user_sim: talker, assistant: {backend: talker, temperature: 0.8}, judges: [strict, lenient]}";
    project.write("config/fthost.yaml", &format!("backends:\n{backends}roles: {roles}\n"));
    project
}
