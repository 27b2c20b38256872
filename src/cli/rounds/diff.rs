//! Two texts by the lines in which they differ. Lines that are too long are cut to where they differ: a prompt's
//! line is often a whole paragraph.

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

/// Stands for what is left out.
const GAP: &str = "...";

/// Lines that are not changed, around those that are, when all is shown.
const CONTEXT: usize = 2;

/// How much is shown.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Characters of a line.
    pub width: usize,
    /// Lines; none: all of them, with some lines around.
    pub lines: Option<usize>,
}

/// The lines that differ: `- before`, `+ after`; between places of the text that are far apart, `...`.
pub fn lines(before: &str, after: &str, room: Room) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let context = if room.lines.is_some() { 0 } else { CONTEXT };
    let mut shown: Vec<String> = Vec::new();
    for group in group_diff_ops(capture_diff_slices(Algorithm::Myers, &old, &new), context) {
        if !shown.is_empty() {
            shown.push(GAP.into());
        }
        shown.extend(group.iter().flat_map(|op| of_op(op, &old, &new, room.width)));
    }
    cut(shown, room.lines)
}

fn cut(mut lines: Vec<String>, most: Option<usize>) -> Vec<String> {
    if let Some(most) = most.filter(|most| lines.len() > *most) {
        let more = lines.len() - most;
        lines.truncate(most);
        lines.push(format!("{GAP} {more} more lines, shown by -v"));
    }
    lines
}

fn of_op(op: &DiffOp, old: &[&str], new: &[&str], width: usize) -> Vec<String> {
    let (before, after) = (&old[op.old_range()], &new[op.new_range()]);
    if op.tag() == DiffTag::Equal {
        return after.iter().map(|line| format!("  {}", around(line, 0, width))).collect();
    }
    // A line that replaces another is cut at the same place.
    let place = |i: usize| match (before.get(i), after.get(i)) {
        (Some(a), Some(b)) => common(a, b),
        _ => 0,
    };
    let signed = |sign: char, lines: &[&str]| {
        let line = |(i, line): (usize, &&str)| format!("{sign} {}", around(line, place(i), width));
        lines.iter().enumerate().map(line).collect::<Vec<_>>()
    };
    [signed('-', before), signed('+', after)].concat()
}

/// Two short texts on a line each, cut to where they differ.
pub fn pair(before: Option<&str>, after: Option<&str>, label: &str, width: usize) -> Vec<String> {
    let flat = |text: Option<&str>| text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let (before, after) = (flat(before), flat(after));
    let place = before.as_deref().zip(after.as_deref()).map_or(0, |(a, b)| common(a, b));
    let width = width.saturating_sub(label.len() + 2);
    let line = |sign: char, text: &String| format!("{sign} {label}: {}", around(text, place, width));
    let before = before.as_ref().map(|text| line('-', text));
    before.into_iter().chain(after.as_ref().map(|text| line('+', text))).collect()
}

/// How many characters two lines have in common at their beginning.
fn common(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// A line in so many characters, of which the one at `place` is one.
pub fn around(line: &str, place: usize, width: usize) -> String {
    let chars: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.len() <= width {
        return chars.into_iter().collect();
    }
    let room = width.saturating_sub(2 * GAP.len()).max(1);
    // A quarter of the room shows what comes before.
    let latest = chars.len().saturating_sub(room);
    let start = if place < width * 3 / 4 { 0 } else { (place - room / 4).min(latest) };
    let end = (start + room).min(chars.len());
    let text: String = chars[start..end].iter().collect();
    let (before, after) = (if start > 0 { GAP } else { "" }, if end < chars.len() { GAP } else { "" });
    format!("{before}{text}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Room = Room { width: 40, lines: None };

    #[test]
    fn only_what_differs_is_shown() {
        let before = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten";
        let after = "one\nTWO\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven";
        let few = Room { lines: Some(10), ..ALL };
        assert_eq!(lines(before, after, few), ["- two", "+ TWO", "...", "+ eleven"]);
        let most = Room { lines: Some(2), ..ALL };
        assert_eq!(lines(before, after, most), ["- two", "+ TWO", "... 2 more lines, shown by -v"]);
        assert_eq!(lines(before, after, ALL)[..4], ["  one", "- two", "+ TWO", "  three"]);
        assert!(lines(before, before, ALL).is_empty());
    }

    #[test]
    fn long_lines_are_cut_to_where_they_differ() {
        let before = format!("{} the end is old {}", "word ".repeat(30), "more ".repeat(30));
        let after = before.replace("old", "new");
        let shown = lines(&before, &after, ALL);
        assert!(shown[0].starts_with("- ...") && shown[0].contains("old"), "{shown:?}");
        assert!(shown[1].starts_with("+ ...") && shown[1].contains("new"), "{shown:?}");
        assert!(shown.iter().all(|line| line.chars().count() <= ALL.width + 2), "{shown:?}");
    }

    #[test]
    fn replies_stand_on_a_line_each() {
        let shown = pair(Some("Hello,\nyou ü"), Some("Hello, there\u{1b}[2J"), "assistant", 60);
        assert_eq!(shown, ["- assistant: Hello, you ü", "+ assistant: Hello, there [2J"]);
        assert_eq!(pair(None, Some("x"), "user", 60), ["+ user: x"]);
    }

    #[test]
    fn cuts_keep_to_the_width() {
        let line: String = ('\u{4e00}'..).take(200).collect();
        for place in 0..220 {
            let cut = around(&line, place, 40);
            assert!(cut.chars().count() <= 40, "{cut}");
            let there: String = line.chars().skip(place).take(1).collect();
            assert!(cut.contains(&there), "{place}: {cut}");
        }
    }
}
