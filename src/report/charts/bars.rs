//! Bars that stand in the rows of a table: they stretch to the room that there is, the figures stand beside.

use super::{at, escape, rect};

/// How high a bar's own coordinates are; the page decides how high it is drawn.
const HEIGHT: f64 = 10.0;

/// Around a bar; it has no words, so it may be stretched.
fn frame(label: &str, inside: &str) -> String {
    let label = escape(label);
    format!(
        r#"<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{label}"><rect class="track" x="0" y="0" width="100" height="10"/>{inside}</svg>"#
    )
}

/// A share as a part of a hundred; what is no number is nothing.
fn hundredths(share: f64) -> f64 {
    if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) * 100.0 }
}

/// A bar of a share from 0 to 1, with a mark at another share when there is one.
pub fn bar(share: f64, mark: Option<f64>, class: &str, label: &str) -> String {
    let mark = mark.map(|mark| {
        let x = at(hundredths(mark));
        format!(r#"<line class="mark" x1="{x}" x2="{x}" y1="0" y2="10"/>"#)
    });
    let filled = rect(class, [0.0, 0.0, hundredths(share), HEIGHT], label);
    frame(label, &[filled, mark.unwrap_or_default()].concat())
}

/// A part of a stacked bar.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Its colour.
    pub class: &'a str,
    /// What it stands for.
    pub name: &'a str,
    /// How much.
    pub count: usize,
}

/// A bar of parts, which fill it together.
pub fn stacked(parts: &[Part], label: &str) -> String {
    let all: usize = parts.iter().map(|part| part.count).sum();
    let mut x = 0.0;
    let mut inside = String::new();
    for part in parts.iter().filter(|part| part.count > 0) {
        let width = part.count as f64 * 100.0 / all as f64;
        inside +=
            &rect(part.class, [x, 0.0, width, HEIGHT], &format!("{}: {} of {all}", part.name, part.count));
        x += width;
    }
    frame(label, &inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        let drawn = bar(0.25, Some(0.5), "pass", "a quarter");
        assert!(drawn.contains(r#"class="pass" x="0" y="0" width="25""#), "{drawn}");
        assert!(
            drawn.contains(r#"x1="50" x2="50""#) && drawn.contains("<title>a quarter</title>"),
            "{drawn}"
        );
        assert!(bar(7.0, None, "pass", "").contains(r#"class="pass" x="0" y="0" width="100""#));
        assert!(bar(f64::NAN, None, "pass", "").contains(r#"class="pass" x="0" y="0" width="0""#));
    }

    #[test]
    fn parts_fill_the_bar() {
        let part = |name, count| Part { class: name, name, count };
        let drawn = stacked(&[part("yes", 3), part("no", 0), part("na", 1)], "answers");
        assert!(drawn.contains(r#"class="yes" x="0" y="0" width="75""#), "{drawn}");
        assert!(
            drawn.contains(r#"class="na" x="75" y="0" width="25""#) && !drawn.contains("\"no\""),
            "{drawn}"
        );
        assert!(stacked(&[part("yes", 0)], "").contains("track"));
    }
}
