//! The list of HTTP kinds: a new one is a file with its wire, and a line here.

use super::wire::{Setup, Wire};
use super::{openai, openai_chat};
use crate::base::config::{BackendConfig, KeyEnv};

/// One kind of HTTP backend.
pub struct HttpKind {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Where it is, when the configuration does not say.
    pub base_url: &'static str,
    /// Where its key is, when the configuration does not say.
    pub key_env: &'static str,
    /// Makes its wire.
    pub wire: fn(Setup) -> Box<dyn Wire>,
}

const OPENAI: &str = "https://api.openai.com/v1";

/// Every kind that speaks HTTP.
#[rustfmt::skip]
pub const HTTP_KINDS: &[HttpKind] = &[
    HttpKind { name: "openai", base_url: OPENAI, key_env: "OPENAI_API_KEY", wire: openai::wire },
    HttpKind { name: "openai-chat", base_url: OPENAI, key_env: "OPENAI_API_KEY", wire: openai_chat::wire },
];

/// The kind of a name, if it speaks HTTP.
pub fn http_kind(name: &str) -> Option<&'static HttpKind> {
    HTTP_KINDS.iter().find(|kind| kind.name == name)
}

/// The environment variable that a backend's key comes from; none for kinds and servers without keys.
pub fn key_variable(config: &BackendConfig) -> Option<&str> {
    let kind = http_kind(&config.kind)?;
    match &config.api_key_env {
        KeyEnv::Usual => Some(kind.key_env),
        KeyEnv::Keyless => None,
        KeyEnv::Variable(name) => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::KINDS;

    #[test]
    fn the_configuration_knows_every_kind() {
        assert!(HTTP_KINDS.iter().all(|kind| KINDS.contains(&kind.name)));
    }
}
