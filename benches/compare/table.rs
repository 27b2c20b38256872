//! What was measured, as Markdown. Contestants take turns, round by round, so that what else the machine
//! does hits all of them; a cell shows the median and, behind it, the lowest and the highest.

use std::fmt;

use crate::Result;

/// One measurement: of what was measured of all of them, and of what only some tell.
#[derive(Debug, Default, Clone, Copy)]
pub struct Sample {
    pub seconds: f64,
    /// Of resident memory, in bytes.
    pub peak: Option<f64>,
    /// Seconds of all processors, the system's included.
    pub cpu: Option<f64>,
    /// Bytes of requests.
    pub sent: Option<f64>,
}

impl Sample {
    /// Of time alone.
    pub fn of(seconds: f64) -> Sample {
        Sample { seconds, ..Sample::default() }
    }
}

/// One of those that are compared.
pub struct Contestant<'a> {
    pub name: String,
    pub run: Box<dyn FnMut() -> Result<Sample> + 'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(name: impl Into<String>, run: impl FnMut() -> Result<Sample> + 'a) -> Contestant<'a> {
        Contestant { name: name.into(), run: Box::new(run) }
    }
}

/// What came of one of them.
pub struct Outcome {
    pub name: String,
    pub samples: Vec<Sample>,
}

impl Outcome {
    /// Of the seconds.
    pub fn seconds(&self) -> Spread {
        self.spread(|sample| sample.seconds)
    }

    /// Of the peaks, in MB.
    pub fn megabytes(&self) -> Spread {
        self.spread(|sample| sample.peak.unwrap_or(f64::NAN) / 1e6)
    }

    /// Of some figure of the samples.
    pub fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().map(figure).collect())
    }
}

/// Each of them once a round.
pub fn take_turns(rounds: usize, contestants: &mut [Contestant]) -> Result<Vec<Outcome>> {
    let outcome = |one: &Contestant| Outcome { name: one.name.clone(), samples: Vec::new() };
    let mut outcomes: Vec<Outcome> = contestants.iter().map(outcome).collect();
    for round in 1..=rounds {
        for (one, outcome) in contestants.iter_mut().zip(&mut outcomes) {
            let sample = (one.run)().map_err(|e| format!("{}: {e}", one.name))?;
            outcome.samples.push(sample);
        }
        eprintln!("  round {round} of {rounds}");
    }
    Ok(outcomes)
}

/// The median of some figures, and how far they lie apart.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(mut figures: Vec<f64>) -> Spread {
        figures.sort_by(f64::total_cmp);
        let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
        let last = figures.len().saturating_sub(1);
        // The mean of the middle two, when no one stands in the middle.
        let median = (at(last / 2) + at(figures.len() / 2)) / 2.0;
        Spread { median, low: at(0), high: at(last) }
    }
}

/// `12.3 (11.9 to 12.8)`, each with three digits that count; a dash when nothing was measured.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.median {
            median if median.is_nan() => f.write_str("-"),
            median if self.low == self.high => f.write_str(&short(median)),
            median => write!(f, "{} ({} to {})", short(median), short(self.low), short(self.high)),
        }
    }
}

/// A number with three digits that count.
pub fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// A heading, a sentence on what was done, and rows.
pub struct Table {
    pub title: &'static str,
    pub about: String,
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n\n{}\n", self.title, self.about)?;
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.head.len()))?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}
