//! What the Claude Code CLI means by its words: it reports limits, logins and failures as text.

use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::failure::{Again, Failure};
use crate::base::Kind;

/// The longest part of its words that an error repeats.
const LONGEST: usize = 500;

/// Clocks differ a little: so much later than the time that it names.
const MARGIN: Duration = Duration::from_secs(5);

/// A failure that the program told in these words.
pub(super) fn failure(text: &str, code: Option<i32>) -> Failure {
    failure_at(text, code, &Zoned::now())
}

/// An end without an answer, by its subtype.
pub(super) fn gave_up(subtype: &str) -> Failure {
    let message = format!("claude ended without an answer ({subtype})");
    match subtype {
        "error_max_turns" => Failure::passing(Kind::Server, message),
        _ => Failure::passing(Kind::Server, message).hint("run the program by hand to see what is wrong"),
    }
}

fn failure_at(text: &str, code: Option<i32>, now: &Zoned) -> Failure {
    let words: String = text.trim().chars().take(LONGEST).collect();
    let lower = words.to_lowercase();
    let says = |some: &[&str]| some.iter().any(|word| lower.contains(word));
    if says(&["hit your limit", "limit reached", "usage limit", "rate limit", "rate_limit"]) {
        let again = reset(&words, now).map_or(Again::Backoff, |wait| Again::After(wait + MARGIN));
        let failure = Failure { again, ..Failure::passing(Kind::RateLimit, format!("rate limit: {words}")) };
        return failure.free();
    }
    if says(&["invalid api key", "/login", "authentication_error", "oauth token", "not logged in"]) {
        return Failure::fatal(Kind::DeadBackend, format!("claude has no valid login: {words}"))
            .hint("log in with `claude` and /login, or name a key's variable as `api_key_env`")
            .free();
    }
    if says(&["credit balance", "billing_error"]) {
        return Failure::fatal(Kind::DeadBackend, format!("the account has no credit: {words}"))
            .hint("add credit at the provider, or use another backend")
            .free();
    }
    if says(&["not_found_error", "model not found", "issue with the selected model"]) {
        return Failure::fatal(Kind::DeadBackend, format!("claude does not know this model: {words}"))
            .hint("check `model` of the backend in config/fthost.yaml")
            .free();
    }
    if says(&["invalid_request_error", "prompt is too long", "unknown option"]) {
        return Failure::fatal(Kind::BadRequest, format!("claude rejects the request: {words}")).free();
    }
    let code = code.filter(|code| *code != 0).map(|code| format!(" (exit code {code})")).unwrap_or_default();
    match words.is_empty() {
        true => Failure::passing(Kind::Server, format!("claude gave no answer{code}")),
        false => Failure::passing(Kind::Server, format!("claude failed{code}: {words}")),
    }
}

/// How long until the limit that these words tell of is reset.
fn reset(words: &str, now: &Zoned) -> Option<Duration> {
    let until = epoch(words).or_else(|| moment(words, now))?;
    Some(Duration::try_from(until.duration_since(now.timestamp())).unwrap_or_default())
}

/// `usage limit reached|1764086400`
fn epoch(words: &str) -> Option<Timestamp> {
    let (_, rest) = words.split_once("limit reached|")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Timestamp::from_second(digits.parse().ok()?).ok()
}

/// `resets 8pm (Europe/Berlin)`, `resets 3:30am`, `resets Nov 25, 8pm (Europe/Berlin)`
fn moment(words: &str, now: &Zoned) -> Option<Timestamp> {
    let (_, rest) = words.split_once("resets ")?;
    let zone = match rest.split_once('(').and_then(|(_, rest)| rest.split_once(')')) {
        Some((name, _)) => TimeZone::get(name.trim()).ok()?,
        None => now.time_zone().clone(),
    };
    let here = now.with_time_zone(zone.clone());
    let rest = rest.split('(').next()?.trim_start_matches("at ");
    let mut parts = rest.split([' ', ',', '\n']).filter(|part| !part.is_empty() && *part != "at").peekable();
    let month = parts.peek().and_then(|part| month(part));
    let date = match month {
        Some(month) => {
            parts.next();
            Some(day(month, parts.next()?.parse().ok()?, &here)?)
        }
        None => None,
    };
    let mut clock = parts.next()?.to_string();
    if let Some(half) = parts.next().filter(|half| half.starts_with("am") || half.starts_with("pm")) {
        clock.push_str(half);
    }
    let time = time(&clock)?;
    let at = |date: Date| date.to_datetime(time).to_zoned(zone.clone()).ok();
    let today = at(date.unwrap_or(here.date()))?;
    let next = if date.is_none() && today <= here { at(here.date().tomorrow().ok()?)? } else { today };
    Some(next.timestamp())
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3)?.to_lowercase();
    let index = MONTHS.iter().position(|month| *month == start)?;
    i8::try_from(index + 1).ok()
}

/// The day of this year, or of the next when it is long past.
fn day(month: i8, day: i8, now: &Zoned) -> Option<Date> {
    let date = Date::new(now.year(), month, day).ok()?;
    let past = date < now.date().checked_sub(1.month()).ok()?;
    if past { Date::new(now.year() + 1, month, day).ok() } else { Some(date) }
}

/// `8pm`, `3:30am`, `20:00`
fn time(text: &str) -> Option<Time> {
    let text = text.to_lowercase();
    let text = text.trim_end_matches(|c: char| !c.is_alphanumeric());
    let (clock, half) = match text.strip_suffix("am").map(|t| (t, Some(0))) {
        Some(found) => found,
        None => text.strip_suffix("pm").map_or((text, None), |t| (t, Some(12))),
    };
    let (hour, minute) = clock.trim().split_once(':').unwrap_or((clock.trim(), "0"));
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    let hour = match half {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(add) => hour % 12 + add,
        None => hour,
    };
    Time::new(hour, minute, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text means at 15:00 in Berlin on 24 November 2026.
    fn told(text: &str) -> Failure {
        let now: Zoned = "2026-11-24T15:00:00+01:00[Europe/Berlin]".parse().unwrap();
        failure_at(text, Some(1), &now)
    }

    fn minutes(text: &str) -> u64 {
        let Again::After(wait) = told(text).again else { panic!("no time in {text}") };
        (wait - MARGIN).as_secs() / 60
    }

    #[test]
    fn the_reset_is_read_in_every_form() {
        for (text, expected) in [
            ("You've hit your limit - resets 8pm (Europe/Berlin)", 300),
            ("You've hit your limit · resets 8pm (Europe/Berlin)", 300),
            ("You've hit your limit ∙ resets 8:30pm (Europe/Berlin)", 330),
            ("You've hit your limit - resets 3:30am", 750),
            ("You've hit your limit - resets 3pm", 1440),
            ("You've hit your limit - resets 12am (Europe/Berlin)", 540),
            ("You've hit your limit - resets 8 pm (Europe/Berlin)", 300),
            ("You've hit your limit - resets 2pm (America/New_York)", 300),
            ("5-hour limit reached ∙ resets 8pm", 300),
            (
                "You've hit your weekly limit. You've hit your limit - resets Nov 25, 8pm (Europe/Berlin)",
                1740,
            ),
            ("You've hit your limit - resets Nov 25 at 8pm (Europe/Berlin)", 1740),
            ("Claude AI usage limit reached|1795546800", 300),
        ] {
            assert_eq!(minutes(text), expected, "{text}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_is_a_limit_all_the_same() {
        for text in ["You've hit your limit", "You've hit your limit - resets soon", "usage limit reached|x"]
        {
            let failure = told(text);
            assert_eq!((failure.error.kind(), failure.again), (Kind::RateLimit, Again::Backoff), "{text}");
        }
    }

    #[test]
    fn failures_are_told_apart() {
        for (text, kind, again) in [
            ("Invalid API key · Please run /login", Kind::DeadBackend, Again::Never),
            ("Credit balance is too low", Kind::DeadBackend, Again::Never),
            ("API Error: 529 {\"type\":\"overloaded_error\"}", Kind::Server, Again::Backoff),
            ("API Error: 400 {\"type\":\"invalid_request_error\"}", Kind::BadRequest, Again::Never),
            ("", Kind::Server, Again::Backoff),
        ] {
            let failure = told(text);
            assert_eq!((failure.error.kind(), failure.again), (kind, again), "{text}");
        }
        assert_eq!(told("").error.message(), "claude gave no answer (exit code 1)");
    }
}
