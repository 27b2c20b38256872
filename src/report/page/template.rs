//! The figures as HTML: the templates of the sections, and how numbers are shown in them. Every value is escaped.

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error as JinjaError, UndefinedBehavior, context};
use serde::Serialize;

use super::charts::Charts;
use crate::base::latency::shown;
use crate::base::numbers::thousands;
use crate::base::{Error, Kind, Result};
use crate::report::charts::{self, Part};
use crate::report::figures::Figures;

/// The sections in their order.
const SECTIONS: [(&str, &str); 11] = [
    ("funnel.html", include_str!("sections/funnel.html")),
    ("rates.html", include_str!("sections/rates.html")),
    ("criteria.html", include_str!("sections/criteria.html")),
    ("scores.html", include_str!("sections/scores.html")),
    ("judges.html", include_str!("sections/judges.html")),
    ("human.html", include_str!("sections/human.html")),
    ("coverage.html", include_str!("sections/coverage.html")),
    ("lengths.html", include_str!("sections/lengths.html")),
    ("slices.html", include_str!("sections/slices.html")),
    ("audit.html", include_str!("sections/audit.html")),
    ("cost.html", include_str!("sections/cost.html")),
];

/// What the page says of itself.
#[derive(Serialize)]
pub struct Head {
    /// The project's name.
    pub name: String,
    /// When it is made.
    pub made_at: String,
    /// The scripts that may run.
    pub script_hashes: String,
    /// The style that counts.
    pub style_hash: String,
}

/// The page up to the data.
pub fn render(figures: &Figures, head: &Head) -> Result<String> {
    let sections: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    let env = environment().map_err(broken)?;
    let template = env.get_template("layout.html").map_err(broken)?;
    let safe = |text: &str| Value::from_safe_string(text.into());
    let context = context! {
        figures => Value::from(Serde(figures)),
        charts => Charts::of(figures).value(),
        sections,
        css => safe(super::CSS),
        theme_js => safe(super::THEME_JS),
        script_hashes => safe(&head.script_hashes),
        style_hash => safe(&head.style_hash),
        name => head.name.as_str(),
        made_at => head.made_at.as_str(),
        version => env!("CARGO_PKG_VERSION"),
    };
    template.render(context).map_err(broken)
}

/// The templates are part of the program.
fn broken(error: JinjaError) -> Error {
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    Error::new(Kind::Internal, format!("a template of the report does not work: {}", causes.join(": ")))
}

fn environment() -> Result<Environment<'static>, JinjaError> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in SECTIONS {
        env.add_template(name, text)?;
    }
    env.add_template("layout.html", include_str!("layout.html"))?;
    env.add_template("headline.html", include_str!("headline.html"))?;
    add_filters(&mut env);
    env.add_function("bar", |share: f64, mark: Option<f64>, class: &str, label: &str| {
        Value::from_safe_string(charts::bar(share, mark, class, label))
    });
    env.add_function("stacked", |no: usize, error: usize, na: usize, yes: usize, label: &str| {
        let part = |class, name, count| Part { class, name, count };
        let parts = [
            part("fail", "no", no),
            part("error", "no answer", error),
            part("na", "does not apply", na),
            part("yes", "yes", yes),
        ];
        Value::from_safe_string(charts::stacked(&parts, label))
    });
    Ok(env)
}

fn add_filters(env: &mut Environment) {
    env.add_filter("num", |number: f64| match number.fract() == 0.0 && number >= 0.0 {
        true => thousands(number as u64),
        false => charts::short(number),
    });
    env.add_filter("pct", percent);
    env.add_filter("dec", |number: f64| format!("{number:.2}"));
    env.add_filter("dec1", |number: f64| format!("{number:.1}"));
    env.add_filter("short", charts::short);
    env.add_filter("usd", |amount: f64| match amount {
        0.0 => "$0".to_string(),
        0.0..0.01 => format!("${amount:.4}"),
        _ => format!("${amount:.2}"),
    });
    env.add_filter("ms", |ms: u64| shown(ms));
    env.add_filter("urlencode", |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    });
}

/// Nothing is rounded up to all, and nothing down to none.
fn percent(share: f64) -> String {
    let whole = (share * 100.0).round();
    let whole = match whole {
        100.0 if share < 1.0 => 99.0,
        0.0 if share > 0.0 => 1.0,
        whole => whole,
    };
    format!("{whole} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_honest_at_their_ends() {
        assert_eq!([0.0, 0.001, 0.684, 0.999, 1.0].map(percent), ["0 %", "1 %", "68 %", "99 %", "100 %"]);
    }

    #[test]
    fn all_templates_can_be_read() {
        environment().unwrap();
    }
}
