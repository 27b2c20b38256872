//! A histogram with its axis, and a mark at the mean.

use super::{at, chart, rect, short, word};
use crate::base::numbers;
use crate::report::figures::histogram::Histogram;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 150.0;
/// Where the bars stand.
const BOTTOM: f64 = 126.0;
/// How high the highest is.
const TALLEST: f64 = 100.0;
/// Room at the sides, for the words below the ends.
const SIDE: f64 = 14.0;
/// About how many words stand below.
const WORDS: usize = 6;

/// A histogram of values of this unit; `what` is what is counted.
pub fn histogram(of: &Histogram, unit: &str, what: &str, label: &str) -> String {
    let most = of.bins.iter().copied().max().unwrap_or(0).max(1) as f64;
    let wide = (WIDTH - 2.0 * SIDE) / of.bins.len().max(1) as f64;
    let gap = (wide * 0.12).min(3.0);
    let left = |place: usize| SIDE + wide * place as f64;
    let mut inside = format!(
        r#"<line class="axis" x1="{}" x2="{}" y1="{BOTTOM}" y2="{BOTTOM}"/>"#,
        at(SIDE),
        at(WIDTH - SIDE)
    );
    for (place, count) in of.bins.iter().enumerate() {
        let height = *count as f64 / most * TALLEST;
        let place_of = [left(place) + gap / 2.0, BOTTOM - height, wide - gap, height];
        let title = format!("{}: {}", range(of, place, unit), numbers::count(*count, what));
        inside += &rect("series", place_of, &title);
    }
    inside += &words(of, wide);
    inside += &mean(of, wide);
    chart(WIDTH, HEIGHT, label, &inside)
}

/// Whole numbers in bins of one are told by themselves.
fn range(of: &Histogram, place: usize, unit: &str) -> String {
    let (from, to) = of.bin(place);
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    match of.step {
        1.0 => format!("{from}{unit}"),
        step if step > 1.0 => format!("{from} to {}{unit}", to - 1.0),
        _ => format!("{} to {}{unit}", short(from), short(to)),
    }
}

fn words(of: &Histogram, wide: f64) -> String {
    let every = of.bins.len().div_ceil(WORDS).max(1);
    let single = of.step == 1.0;
    let last = of.bins.len() + usize::from(!single);
    let shift = if single { wide / 2.0 } else { 0.0 };
    let places = (0..last).step_by(every);
    places
        .map(|place| {
            word(&short(of.bin(place).0), SIDE + wide * place as f64 + shift, BOTTOM + 15.0, "middle")
        })
        .collect()
}

fn mean(of: &Histogram, wide: f64) -> String {
    let shift = if of.step == 1.0 { 0.5 } else { 0.0 };
    let x = (SIDE + ((of.mean - of.from) / of.step + shift) * wide).clamp(SIDE, WIDTH - SIDE);
    let top = BOTTOM - TALLEST - 8.0;
    let anchor = if x > WIDTH * 0.7 { "end" } else { "start" };
    let beside = if anchor == "end" { x - 5.0 } else { x + 5.0 };
    let x = at(x);
    let line = format!(r#"<line class="mark" x1="{x}" x2="{x}" y1="{}" y2="{BOTTOM}"/>"#, at(top));
    [line, word(&format!("mean {}", short(of.mean)), beside, top + 4.0, anchor)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bin_is_a_bar_that_says_its_figure() {
        let of = Histogram::of([1, 2, 2, 3]).unwrap();
        let drawn = histogram(&of, "slices", "transcript", "Slices");
        assert_eq!(drawn.matches("<rect class=\"series\"").count(), 3);
        assert!(drawn.contains("<title>2 slices: 2 transcripts</title>"), "{drawn}");
        assert!(drawn.contains("mean 2<") && drawn.contains(r#"aria-label="Slices""#), "{drawn}");
        let wide = histogram(&Histogram::of((0..90).map(|n| n * 10)).unwrap(), "tokens", "transcript", "");
        assert!(wide.contains("<title>0 to 49 tokens: 5 transcripts</title>"), "{wide}");
        let shares = histogram(&Histogram::of_shares([0.85]).unwrap(), "", "verdict", "");
        assert!(shares.contains("<title>0.8 to 0.9: 1 verdict</title>"), "{shares}");
    }
}
