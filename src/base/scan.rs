//! Looking for a byte of some kind in a text, quickly: a prompt holds the whole conversation, and is looked through
//! several times a call.

/// Bytes that are looked at at once: the compiler makes a few vector instructions of it.
const BLOCK: usize = 16;

/// Where the first byte stands that `is_wanted`, which must be cheap and without branches (no `&&` or `||`).
#[inline(always)]
pub fn first_byte(bytes: &[u8], is_wanted: impl Fn(u8) -> bool + Copy) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    for (place, block) in blocks.iter().enumerate() {
        if let Some(found) = in_block(block, is_wanted) {
            return Some(place * BLOCK + found);
        }
    }
    // What is left is less than a block: with what stands before it, where nothing was found, it is one.
    match bytes.last_chunk::<BLOCK>() {
        Some(block) => in_block(block, is_wanted).map(|found| bytes.len() - BLOCK + found),
        None => bytes.iter().position(|byte| is_wanted(*byte)),
    }
}

#[inline(always)]
fn in_block(block: &[u8; BLOCK], is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let flags = u128::from_le_bytes(block.map(|byte| if is_wanted(byte) { 0xff } else { 0 }));
    (flags != 0).then(|| flags.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_stands_where_a_look_at_each_byte_finds_it(bytes in proptest::collection::vec(0..40_u8, 0..200)) {
            let wanted = |byte: u8| byte == 39;
            prop_assert_eq!(first_byte(&bytes, wanted), bytes.iter().position(|byte| wanted(*byte)));
        }
    }
}
