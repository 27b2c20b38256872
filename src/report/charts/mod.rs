//! Charts as SVG texts. Colours and fonts are the page's, by class, so that one chart fits light and dark; each has a
//! label for those who do not see it, and each mark says its figure.

mod bars;
mod histogram;
mod line;

pub use bars::{Part, bar, stacked};
pub use histogram::histogram;
pub use line::line;

/// A text as it may stand in markup and in an attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A number as short as it can be told: `1.5k`, `0.25`, `12`.
pub fn short(number: f64) -> String {
    let trimmed = |number: f64, decimals: usize| {
        let text = format!("{number:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
    };
    match number.abs() {
        0.0..10.0 => trimmed(number, 2),
        10.0..1_000.0 => trimmed(number, 1),
        1_000.0..1_000_000.0 => format!("{}k", trimmed(number / 1e3, 1)),
        _ => format!("{}M", trimmed(number / 1e6, 1)),
    }
}

/// A coordinate: two decimals are finer than a screen.
fn at(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// A rectangle with its figure.
fn rect(class: &str, [x, y, width, height]: [f64; 4], title: &str) -> String {
    let [x, y, width, height] = [x, y, width.max(0.0), height.max(0.0)].map(at);
    let title = if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) };
    format!(r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}">{title}</rect>"#)
}

/// A word beside a mark; `anchor` is `start`, `middle` or `end`.
fn word(text: &str, x: f64, y: f64, anchor: &str) -> String {
    let (x, y) = (at(x), at(y));
    format!(r#"<text x="{x}" y="{y}" text-anchor="{anchor}">{}</text>"#, escape(text))
}

/// A chart of its own, that keeps its proportions.
fn chart(width: f64, height: f64, label: &str, inside: &str) -> String {
    let (width, height, label) = (at(width), at(height), escape(label));
    format!(
        r#"<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{label}"><title>{label}</title>{inside}</svg>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_become_markup() {
        let text = r#"</title><script>"'&"#;
        assert_eq!(escape(text), "&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;");
        for chart in [chart(1.0, 1.0, text, ""), rect("c", [0.0; 4], text), word(text, 0.0, 0.0, "end")] {
            assert!(!chart.contains("<script") && !chart.contains("\"'"), "{chart}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let told = [0.0, 0.25, 3.0, 12.25, 850.0, 1_500.0, 130_855.0, 2_000_000.0].map(short);
        assert_eq!(told, ["0", "0.25", "3", "12.2", "850", "1.5k", "130.9k", "2M"]);
        assert_eq!([at(3.0), at(0.126), at(100.0)], ["3", "0.13", "100"]);
    }
}
