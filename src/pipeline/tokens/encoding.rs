//! The encodings, by name.

use crate::base::{Error, Kind, Result, suggest};

/// One of tiktoken's encodings. The default is `cl100k_base`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// `cl100k_base`: GPT-4, GPT-3.5.
    #[default]
    Cl100kBase,
    /// `o200k_base`: GPT-4o and later.
    O200kBase,
    /// `o200k_harmony`: gpt-oss.
    O200kHarmony,
    /// `p50k_base`: Codex.
    P50kBase,
    /// `p50k_edit`: the edit models.
    P50kEdit,
    /// `r50k_base`: GPT-3.
    R50kBase,
    /// `gpt2`: the same tables as `r50k_base`.
    Gpt2,
}

/// Every encoding's name.
const NAMES: &[(&str, Encoding)] = &[
    ("cl100k_base", Encoding::Cl100kBase),
    ("o200k_base", Encoding::O200kBase),
    ("o200k_harmony", Encoding::O200kHarmony),
    ("p50k_base", Encoding::P50kBase),
    ("p50k_edit", Encoding::P50kEdit),
    ("r50k_base", Encoding::R50kBase),
    ("gpt2", Encoding::Gpt2),
];

impl Encoding {
    /// The encoding of a name.
    pub fn named(name: &str) -> Result<Encoding> {
        let known = NAMES.iter().map(|(known, _)| *known);
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, encoding)| *encoding).ok_or_else(|| {
            Error::new(Kind::Argument, format!("unknown encoding `{name}`")).hint(suggest::hint(name, known))
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, encoding)| *encoding == self).map_or("", |(name, _)| name)
    }

    /// Every encoding's name, the default first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for name in Encoding::names() {
            assert_eq!(Encoding::named(name).unwrap().name(), name);
        }
        assert_eq!(Encoding::default().name(), "cl100k_base");
        let error = Encoding::named("cl100k").unwrap_err();
        assert_eq!(error.message(), "unknown encoding `cl100k`");
        assert_eq!(error.get_hint(), Some("did you mean `cl100k_base`?"));
    }
}
