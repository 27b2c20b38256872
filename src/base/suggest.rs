//! "Did you mean ...?"

/// The known name nearest to a misspelled one, if any is near enough to be worth a hint.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    let near = |name: &'a str| {
        let swaps = strsim::damerau_levenshtein(&lower, &name.to_lowercase());
        let same_start =
            name.len() > 3 && wrong.len() > 3 && (name.starts_with(wrong) || wrong.starts_with(name));
        let limit = wrong.len().max(name.len()).div_ceil(3);
        (swaps <= limit || same_start).then_some((swaps, name))
    };
    known.into_iter().filter_map(near).min_by_key(|(swaps, _)| *swaps).map(|(_, name)| name)
}

/// A hint for an unknown name: the nearest one, else the list of those known.
pub fn hint<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(wrong, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found_and_far_ones_are_not() {
        let known = ["count_tokens", "count_messages_tokens", "process"];
        assert_eq!(nearest("count_token", known), Some("count_tokens"));
        assert_eq!(nearest("proces", known), Some("process"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(hint("banana", known), "known: count_tokens, count_messages_tokens, process");
    }
}
