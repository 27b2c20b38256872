//! The values of the configuration that may be written in several ways.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor, value};

use super::kinds::KINDS;
use super::{Choice, KeyEnv, Params, Role};

/// `stop`: one text or a list.
pub(super) fn stop<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Stop;
    impl<'de> Visitor<'de> for Stop {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(vec![text.to_string()]))
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Deserialize::deserialize(value::SeqAccessDeserializer::new(seq)).map(Some)
        }
    }
    from.deserialize_any(Stop)
}

impl<'de> Deserialize<'de> for KeyEnv {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<KeyEnv, D::Error> {
        let name = Option::<String>::deserialize(from)?;
        Ok(name.map_or(KeyEnv::Keyless, KeyEnv::Variable))
    }
}

/// A backend, with sampling parameters that win over its own.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Detailed {
    /// The backend's name.
    backend: String,
    /// The reply's limit, reasoning included.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// Randomness; 0 is the least.
    #[serde(default)]
    temperature: Option<f64>,
    /// Nucleus sampling's share.
    #[serde(default)]
    top_p: Option<f64>,
    /// A seed, for servers that know one.
    #[serde(default)]
    seed: Option<i64>,
    /// Texts that end the reply.
    #[serde(default, deserialize_with = "stop")]
    #[schemars(schema_with = "stop_schema")]
    stop: Option<Vec<String>>,
}

impl From<Detailed> for Choice {
    fn from(it: Detailed) -> Choice {
        let Detailed { backend, max_tokens, temperature, top_p, seed, stop } = it;
        Choice { backend, params: Params { max_tokens, temperature, top_p, seed, stop } }
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Choice, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Choice;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a backend's name or {backend: ..., temperature: ...}")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Choice, E> {
                Ok(Choice::of(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Choice, A::Error> {
                Detailed::deserialize(value::MapAccessDeserializer::new(map)).map(Choice::from)
            }
        }
        from.deserialize_any(One)
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Role, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Role;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a backend's name, {backend: ...}, or a list of these")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Role, E> {
                Ok(Role { choices: vec![Choice::of(name)] })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Role, A::Error> {
                let one = Choice::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(Role { choices: vec![one] })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Role, A::Error> {
                let choices = Deserialize::deserialize(value::SeqAccessDeserializer::new(seq))?;
                Ok(Role { choices })
            }
        }
        from.deserialize_any(Any)
    }
}

// The same shapes, for editors.

/// One text or a list.
pub(super) fn stop_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": "string"}}]})
}

/// The kinds that there are.
pub(super) fn kind_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"enum": KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>()})
}

/// Each role a backend's name, one with parameters, or a list of these.
pub(super) fn roles_schema(generator: &mut SchemaGenerator) -> Schema {
    let detailed = generator.subschema_for::<Detailed>();
    let one = json_schema!({"anyOf": [{"type": "string"}, detailed]});
    json_schema!({
        "type": "object",
        "additionalProperties": {"anyOf": [{"type": "string"}, detailed, {"type": "array", "items": one}]},
    })
}
