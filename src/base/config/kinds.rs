//! The kinds of backends: what the configuration has to say of each, and where its server and its key
//! are when it does not. What a kind says on the wire stands in `llm`.

use super::{BackendConfig, KeyEnv};

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
    /// The reply's limit that is sent when nobody sets one: that of an API that takes no request without.
    pub max_tokens: Option<u32>,
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
    /// A program of this machine.
    Program,
}

use Answers::{Program, Script, Server};
use Needs::{BaseUrl, File, Model};

const OPENAI: Option<&str> = Some("https://api.openai.com/v1");
const GOOGLE: Option<&str> = Some("https://generativelanguage.googleapis.com/v1beta");
const ANTHROPIC: Option<&str> = Some("https://api.anthropic.com/v1");

/// The reply's limit of `anthropic` when nothing sets one.
pub const ANTHROPIC_MAX_TOKENS: u32 = 4096;

/// Every kind.
#[rustfmt::skip]
pub const KINDS: &[KindOf] = &[
    KindOf { name: "offline", needs: &[], answers: Script, base_url: None, key_envs: &[], max_tokens: None },
    KindOf { name: "script", needs: &[File], answers: Script, base_url: None, key_envs: &[], max_tokens: None },
    KindOf { name: "openai", needs: &[Model], answers: Server, base_url: OPENAI, key_envs: &["OPENAI_API_KEY"], max_tokens: None },
    KindOf { name: "openai-chat", needs: &[Model], answers: Server, base_url: OPENAI, key_envs: &["OPENAI_API_KEY"], max_tokens: None },
    KindOf { name: "google", needs: &[Model], answers: Server, base_url: GOOGLE, key_envs: &["GOOGLE_API_KEY", "GEMINI_API_KEY"], max_tokens: None },
    KindOf { name: "anthropic", needs: &[Model], answers: Server, base_url: ANTHROPIC, key_envs: &["ANTHROPIC_API_KEY"], max_tokens: Some(ANTHROPIC_MAX_TOKENS) },
    KindOf { name: "claude", needs: &[], answers: Program, base_url: None, key_envs: &[], max_tokens: None },
    KindOf { name: "adapter", needs: &[Model, File, BaseUrl], answers: Server, base_url: None, key_envs: &[], max_tokens: None },
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

/// Where a backend's server is.
pub fn base_url(config: &BackendConfig) -> Option<&str> {
    config.base_url.as_deref().or(kind_of(&config.kind)?.base_url)
}
