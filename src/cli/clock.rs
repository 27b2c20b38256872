//! Moments: for a person by the clock on the wall, for machines in RFC 3339.

use std::time::{Duration, SystemTime};

use jiff::{RoundMode, Unit, Zoned, ZonedRound};

/// The end of a wait that begins now.
pub fn end_of(wait: Duration, now: &Zoned) -> Zoned {
    now.saturating_add(wait)
}

/// A moment of the system's clock, where this machine is.
pub fn local(time: SystemTime) -> Zoned {
    Zoned::try_from(time).unwrap_or_else(|_| Zoned::now())
}

/// `14:03:20`; with its date when that is not today.
pub fn shown(end: &Zoned, now: &Zoned) -> String {
    let end = whole(end);
    let form = if end.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    end.strftime(form).to_string()
}

/// `2026-11-24T13:03:20Z`
pub fn rfc3339(end: &Zoned) -> String {
    whole(end).timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The next full second: what is told must not be too early.
fn whole(end: &Zoned) -> Zoned {
    let up = ZonedRound::new().smallest(Unit::Second).mode(RoundMode::Ceil);
    end.round(up).unwrap_or_else(|_| end.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    #[test]
    fn the_end_is_shown_by_the_wall_clock() {
        let now = at("2026-11-24T14:03:15.2+01:00[Europe/Berlin]");
        let end = |seconds| end_of(Duration::from_secs_f64(seconds), &now);
        assert_eq!(shown(&end(4.8), &now), "14:03:20");
        assert_eq!(shown(&end(4.1), &now), "14:03:20", "rounded up");
        assert_eq!(shown(&end(10.0 * 3600.0), &now), "2026-11-25 00:03:16");
        assert_eq!(rfc3339(&end(4.8)), "2026-11-24T13:03:20Z");
    }

    #[test]
    fn clocks_that_are_changed_in_between_count() {
        let before = at("2026-10-25T01:30:00+02:00[Europe/Berlin]");
        assert_eq!(shown(&end_of(Duration::from_secs(3 * 3600), &before), &before), "03:30:00");
    }

    #[test]
    fn a_wait_without_end_is_no_panic() {
        let now = at("2026-11-24T14:03:15Z[UTC]");
        assert!(shown(&end_of(Duration::MAX, &now), &now).starts_with("9999-12-"));
    }
}
