//! Numbers as people read them.

/// `1 item`, `2 items`, `3 replies`.
pub fn count(n: usize, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if n == 1 => format!("1 {what}"),
        Some(stem) => format!("{} {stem}ies", thousands(n as u64)),
        None => format!("{} {what}s", thousands(n as u64)),
    }
}

/// 1,234,567
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let grouped: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    grouped.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1234567), "1,234,567");
        assert_eq!(count(1, "item"), "1 item");
        assert_eq!(count(1200, "call"), "1,200 calls");
        assert_eq!(count(2, "reply"), "2 replies");
    }
}
