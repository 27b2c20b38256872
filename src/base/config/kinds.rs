//! The kinds of backends: what the configuration has to say of each, and where its server and its key
//! are when it does not. What a kind says on the wire stands in `llm`.

use super::{BackendConfig, KeyEnv, Params};

/// One kind of backend.
pub struct KindOf {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What an entry of this kind cannot do without.
    pub needs: &'static [Needs],
    /// Who answers.
    pub answers: Answers,
    /// Where its server is, when the configuration does not say.
    pub base_url: Option<&'static str>,
    /// Where its key is, when the configuration does not say: the first variable that is set.
    pub key_envs: &'static [&'static str],
    /// Requests on the wire at once, when the configuration does not say.
    pub concurrency: usize,
    /// The reply's limit that is sent when nobody sets one: that of an API that takes no request without.
    pub max_tokens: Option<u32>,
    /// Sampling parameters that it has no words for. A `seed`, which is a wish, is left out instead where
    /// it cannot be sent.
    pub refuses: &'static [&'static str],
}

/// A key that an entry must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The model's name at the provider.
    Model,
    /// A script.
    File,
    /// The server's address.
    BaseUrl,
}

/// Who answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// A script, on its caller's thread.
    Script,
    /// A server, over HTTP.
    Server,
    /// A server, over HTTP, in words that two functions of a script shape.
    Adapter,
    /// A program of this machine.
    Program,
}

use Answers::{Adapter, Program, Script, Server};
use Needs::{BaseUrl, File, Model};

const OPENAI: Option<&str> = Some("https://api.openai.com/v1");
const GOOGLE: Option<&str> = Some("https://generativelanguage.googleapis.com/v1beta");
const ANTHROPIC: Option<&str> = Some("https://api.anthropic.com/v1");

/// The reply's limit of `anthropic` when nothing sets one.
pub const ANTHROPIC_MAX_TOKENS: u32 = 4096;

/// Programs at once, when nothing is said: each takes hundreds of megabytes.
const PROCESSES: usize = 4;

/// What most kinds say.
const USUAL: KindOf = KindOf {
    name: "",
    needs: &[Model],
    answers: Server,
    base_url: None,
    key_envs: &[],
    concurrency: 64,
    max_tokens: None,
    refuses: &[],
};

/// Every kind.
#[rustfmt::skip]
pub const KINDS: &[KindOf] = &[
    KindOf { name: "offline", needs: &[], answers: Script, ..USUAL },
    KindOf { name: "script", needs: &[File], answers: Script, ..USUAL },
    KindOf { name: "openai", base_url: OPENAI, key_envs: &["OPENAI_API_KEY"], refuses: &["stop"], ..USUAL },
    KindOf { name: "openai-chat", base_url: OPENAI, key_envs: &["OPENAI_API_KEY"], ..USUAL },
    KindOf { name: "google", base_url: GOOGLE, key_envs: &["GOOGLE_API_KEY", "GEMINI_API_KEY"], ..USUAL },
    KindOf { name: "anthropic", base_url: ANTHROPIC, key_envs: &["ANTHROPIC_API_KEY"], max_tokens: Some(ANTHROPIC_MAX_TOKENS), ..USUAL },
    KindOf { name: "claude", needs: &[], answers: Program, concurrency: PROCESSES, refuses: &["temperature", "top_p", "seed", "stop"], ..USUAL },
    KindOf { name: "adapter", needs: &[Model, File, BaseUrl], answers: Adapter, ..USUAL },
];

/// The names of all kinds.
pub fn kind_names() -> impl Iterator<Item = &'static str> + Clone {
    KINDS.iter().map(|kind| kind.name)
}

/// The kind of a name.
pub fn kind_of(name: &str) -> Option<&'static KindOf> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The environment variable that a backend's key comes from; none for kinds and servers without keys.
/// Where the kind knows several it is the first, by which errors call it.
pub fn key_variable(config: &BackendConfig) -> Option<&str> {
    key_variables(config).first().copied()
}

/// All that the key may come from: the first that is set counts.
pub fn key_variables(config: &BackendConfig) -> Vec<&str> {
    match &config.api_key_env {
        KeyEnv::Usual => kind_of(&config.kind).map_or(vec![], |kind| kind.key_envs.to_vec()),
        KeyEnv::Keyless => vec![],
        KeyEnv::Variable(name) => vec![name],
    }
}

/// The first of these parameters that a kind has no words for.
pub fn refused(kind: &str, params: &Params) -> Option<&'static str> {
    let set = |name: &str| match name {
        "temperature" => params.temperature.is_some(),
        "top_p" => params.top_p.is_some(),
        "seed" => params.seed.is_some(),
        "stop" => params.stop.is_some(),
        _ => false,
    };
    kind_of(kind)?.refuses.iter().copied().find(|name| set(name))
}

/// Where a backend's server is.
pub fn base_url(config: &BackendConfig) -> Option<&str> {
    config.base_url.as_deref().or(kind_of(&config.kind)?.base_url)
}
