//! The pass rate over time: a line with the band in which the true rate may lie, and a border where the rubric changed.

use super::{at, chart, escape, short, word};
use crate::report::figures::rates::Point;
use crate::report::next_step::{MAJOR, SCALE, percent};

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 868.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 204.0;

/// The chart.
pub fn line(points: &[Point]) -> String {
    let places = places(points);
    let mut inside = grid();
    inside += &rubrics(points, &places);
    inside += &band(points, &places);
    let path: Vec<String> = points
        .iter()
        .zip(&places)
        .map(|(point, x)| format!("{},{}", at(*x), at(y(point.rate.rate))))
        .collect();
    inside += &format!(r#"<polyline class="line" points="{}"/>"#, path.join(" "));
    inside += &points.iter().zip(&places).map(|(point, x)| dot(point, *x)).collect::<String>();
    inside += &times(points, &places);
    chart(WIDTH, HEIGHT, "Pass rate over time", &inside)
}

/// Each point stands in the middle of its verdicts, so that a short one takes little room.
fn places(points: &[Point]) -> Vec<f64> {
    let all: usize = points.iter().map(|point| point.rate.judged).sum();
    let mut before = 0;
    let mut place = |point: &Point| {
        let middle = before as f64 + point.rate.judged as f64 / 2.0;
        before += point.rate.judged;
        LEFT + (RIGHT - LEFT) * middle / all.max(1) as f64
    };
    points.iter().map(&mut place).collect()
}

fn y(rate: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * rate.clamp(0.0, 1.0)
}

/// The gates are the lines that matter.
fn grid() -> String {
    let gates = [MAJOR, SCALE];
    let lines = [0, 25, MAJOR, SCALE, 100].map(|percent| {
        let y = y(percent as f64 / 100.0);
        let class = if gates.contains(&percent) { "gate" } else { "grid" };
        let line = format!(r#"<line class="{class}" x1="{LEFT}" x2="{RIGHT}" y1="{0}" y2="{0}"/>"#, at(y));
        [line, word(&format!("{percent} %"), LEFT - 7.0, y + 4.0, "end")].concat()
    });
    lines.concat()
}

fn band(points: &[Point], places: &[f64]) -> String {
    let upper = points.iter().zip(places).map(|(point, x)| (*x, y(point.rate.high)));
    let lower = points.iter().zip(places).map(|(point, x)| (*x, y(point.rate.low))).rev();
    let path: Vec<String> = upper.chain(lower).map(|(x, y)| format!("{},{}", at(x), at(y))).collect();
    format!(r#"<polygon class="band" points="{}"/>"#, path.join(" "))
}

fn dot(point: &Point, x: f64) -> String {
    let rate = &point.rate;
    let when = point.to.as_ref().map(|when| format!("{when}: ")).unwrap_or_default();
    let (passed, judged, low, high) = (rate.passed, rate.judged, rate.low * 100.0, rate.high * 100.0);
    let title = format!(
        "{when}{passed} of {judged} pass ({}), likely {low:.0} to {high:.0} %, rubric {}",
        percent(passed, judged),
        point.rubric
    );
    let (x, y) = (at(x), at(y(rate.rate)));
    format!(r#"<circle class="dot" cx="{x}" cy="{y}" r="4"><title>{}</title></circle>"#, escape(&title))
}

/// Where another rubric begins.
fn rubrics(points: &[Point], places: &[f64]) -> String {
    let mut marks = String::new();
    let mut before: Option<(&str, f64)> = None;
    for (point, x) in points.iter().zip(places) {
        if before.is_none_or(|(rubric, _)| rubric != point.rubric) {
            let border = before.map_or(LEFT, |(_, last)| (last + x) / 2.0);
            if before.is_some() {
                let x = at(border);
                marks +=
                    &format!(r#"<line class="border" x1="{x}" x2="{x}" y1="{}" y2="{BOTTOM}"/>"#, TOP - 14.0);
            }
            marks += &word(&format!("rubric {}", point.rubric), border + 5.0, TOP - 9.0, "start");
        }
        before = Some((&point.rubric, *x));
    }
    marks
}

/// The ends in time; without times the count of verdicts.
fn times(points: &[Point], places: &[f64]) -> String {
    let day =
        |time: &Option<String>| time.as_ref().map(|time| time.get(..16).unwrap_or(time).replace('T', " "));
    let all: usize = points.iter().map(|point| point.rate.judged).sum();
    let first = points.first().and_then(|point| day(&point.from)).unwrap_or_else(|| "first verdict".into());
    let last = points.last().and_then(|point| day(&point.to));
    let last = last.unwrap_or_else(|| format!("verdict {}", short(all as f64)));
    let end = word(&last, RIGHT, BOTTOM + 20.0, "end");
    let begin = if places.len() > 1 { word(&first, LEFT, BOTTOM + 20.0, "start") } else { String::new() };
    [begin, end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figures::rates::Rate;

    #[test]
    fn a_new_rubric_has_a_border() {
        let point = |rubric: &str, passed| Point {
            from: Some("2026-03-01T10:00:00Z".into()),
            to: Some("2026-03-01T11:00:00Z".into()),
            rubric: rubric.into(),
            rate: Rate::of(passed, 10),
        };
        let drawn = line(&[point("aaaa", 4), point("aaaa", 6), point("bbbb", 9)]);
        assert_eq!((drawn.matches("<circle").count(), drawn.matches("class=\"border\"").count()), (3, 1));
        assert!(drawn.contains("rubric bbbb") && drawn.contains("2026-03-01 10:00"), "{drawn}");
        assert!(drawn.contains("2026-03-01T11:00:00Z: 9 of 10 pass (90 %), likely 60 to 98 %"), "{drawn}");
        assert!(!line(&[]).contains("NaN"));
    }
}
