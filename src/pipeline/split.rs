//! Training or validation: decided by a hash of the group, so that all examples of a group are on one
//! side, whatever else is in the set and in whatever order it comes.

use sha2::{Digest, Sha256};

use crate::base::{Error, Kind, Result};

/// The share that is held out when nothing is said: a tenth.
pub const DEFAULT_VALIDATION: f64 = 0.1;

/// What the hash is of, together with the group: slicing hashes ids too, and must not go along with it.
const SALT: &str = "fthost split ";

/// Where an example goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Trained on.
    Training,
    /// Held out.
    Validation,
}

/// The side of a group, `share` being the part of all groups that is held out (0 <= share < 1).
///
/// The first 8 bytes of the SHA-256 of `"fthost split " + group` (UTF-8), big-endian, divided by 2^64,
/// are a number in 0..1: below `share` is validation. So a greater share only ever moves groups from
/// training to validation.
pub fn side_of(group: &str, share: f64) -> Side {
    let digest = Sha256::digest(format!("{SALT}{group}").as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let fraction = number as f64 / 2_f64.powi(64);
    if fraction < share { Side::Validation } else { Side::Training }
}

/// Refuses a share that is none.
pub fn check_share(share: f64) -> Result<()> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(Error::new(Kind::Argument, format!("the validation share is {share}"))
        .hint("it is from 0 (nothing is held out) to below 1: a tenth is 0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_where_the_documented_hash_puts_them() {
        // int.from_bytes(sha256(("fthost split " + group).encode()).digest()[:8], "big") / 2**64
        for (group, fraction) in FRACTIONS {
            assert_eq!(side_of(group, fraction - 1e-6), Side::Training, "{group}");
            assert_eq!(side_of(group, fraction + 1e-6), Side::Validation, "{group}");
        }
    }

    const FRACTIONS: [(&str, f64); 3] =
        [("persona_1", 0.325095818), ("persona_2", 0.273494129), ("é", 0.958203496)];

    #[test]
    fn about_the_share_is_held_out() {
        let held = (0..10_000).filter(|n| side_of(&format!("persona_{n}"), 0.1) == Side::Validation).count();
        assert!((900..1100).contains(&held), "{held}");
        assert_eq!(side_of("persona_1", 0.0), Side::Training);
    }

    #[test]
    fn impossible_shares_are_refused() {
        for share in [-0.1, 1.0, 10.0, f64::NAN] {
            assert_eq!(check_share(share).unwrap_err().kind(), Kind::Argument);
        }
        assert!(check_share(0.0).is_ok() && check_share(0.999).is_ok());
    }
}
