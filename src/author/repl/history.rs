//! How entries are kept for the next session: a line each, those of several lines in one.

/// An entry as a line of the history.
pub fn to_line(entry: &str) -> String {
    format!("{}\n", entry.replace('\\', "\\\\").replace('\n', "\\n"))
}

/// The newest entries of a history, so many at the most, the oldest first.
pub fn entries(history: &str, most: usize) -> Vec<String> {
    let lines: Vec<&str> = history.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].iter().map(|line| of_line(line)).collect()
}

fn of_line(line: &str) -> String {
    let mut entry = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => entry.push(match chars.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            }),
            c => entry.push(c),
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_as_they_were() {
        let all = ["1 + 1", "fn f() {\n  \"a\\n\"\n}", "\"\\\\\""];
        let history: String = all.iter().map(|entry| to_line(entry)).collect();
        assert_eq!(history.lines().count(), 3);
        assert_eq!(entries(&history, 9), all);
        assert_eq!(entries(&"x\n".repeat(5000), 9).len(), 9);
    }
}
