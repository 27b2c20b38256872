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
    /// Where its key is, when the configuration does not say.
    pub key_env: Option<&'static str>,
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

/// Every kind.
#[rustfmt::skip]
pub const KINDS: &[KindOf] = &[
    KindOf { name: "offline", needs: &[], answers: Script, base_url: None, key_env: None },
    KindOf { name: "script", needs: &[File], answers: Script, base_url: None, key_env: None },
    KindOf { name: "openai", needs: &[Model], answers: Server, base_url: OPENAI, key_env: Some("OPENAI_API_KEY") },
    KindOf { name: "openai-chat", needs: &[Model], answers: Server, base_url: OPENAI, key_env: Some("OPENAI_API_KEY") },
    KindOf { name: "google", needs: &[Model], answers: Server, base_url: GOOGLE, key_env: Some("GOOGLE_API_KEY") },
    KindOf { name: "anthropic", needs: &[Model], answers: Server, base_url: ANTHROPIC, key_env: Some("ANTHROPIC_API_KEY") },
    KindOf { name: "claude", needs: &[], answers: Program, base_url: None, key_env: None },
    KindOf { name: "adapter", needs: &[Model, File, BaseUrl], answers: Adapter, base_url: None, key_env: None },
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
pub fn key_variable(config: &BackendConfig) -> Option<&str> {
    match &config.api_key_env {
        KeyEnv::Usual => kind_of(&config.kind)?.key_env,
        KeyEnv::Keyless => None,
        KeyEnv::Variable(name) => Some(name),
    }
}

/// Where a backend's server is.
pub fn base_url(config: &BackendConfig) -> Option<&str> {
    config.base_url.as_deref().or(kind_of(&config.kind)?.base_url)
}
