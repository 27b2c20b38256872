//! What to do next. The gates stand here alone: by them the summary of an assessment speaks, too.

use serde::Serialize;

use super::data::{ASSESSED, GENERATED, RUBRIC};
use super::figures::Figures;
use crate::base::Result;
use crate::base::numbers::count;
use crate::pipeline::agreement::CriterionAgreement;
use crate::work::World;
use crate::work::status::JobStatus;

/// Below this pass rate the prompts need a major revision, in percent ...
pub const MAJOR: usize = 50;
/// ... below this one they are to be mended where most fails, and from it on more can be made.
pub const SCALE: usize = 70;
/// From so many verdicts on it is suspicious that all pass.
const SUSPICIOUS: usize = 10;

/// Below this alpha, judges do not mean the same by a criterion ...
const ALPHA: f64 = 0.4;
/// ... if there are so many answers, and on so many they differ.
const ANSWERS: u64 = 10;
const DIFFER: f64 = 3.0;

/// How many times as many a scaled run makes.
const TIMES: usize = 5;

/// What a pass rate asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Below 50 %.
    Revise,
    /// From 50 to 70 %.
    Iterate,
    /// From 70 %.
    Scale,
    /// All of ten or more.
    Suspicious,
}

impl Gate {
    /// The gate of so many that passed; none without a verdict.
    pub fn of(passed: usize, judged: usize) -> Option<Gate> {
        Some(match judged {
            0 => return None,
            SUSPICIOUS.. if passed == judged => Gate::Suspicious,
            _ if passed * 100 < judged * MAJOR => Gate::Revise,
            _ if passed * 100 < judged * SCALE => Gate::Iterate,
            _ => Gate::Scale,
        })
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Gate::Revise => "revise the prompts thoroughly before making more",
            Gate::Iterate => "mend what fails most, then judge again",
            Gate::Scale => "good enough to make more",
            Gate::Suspicious => "suspiciously good, is the rubric too easy?",
        }
    }
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is about: `generate`, `assess`, `stale`, `revise`, `iterate`, `scale`, `suspicious`, `judges`, `human`,
    /// `audit` or `slice`.
    pub about: &'static str,
    /// What to do, and why.
    pub text: String,
    /// The command that does it, if one does.
    pub command: Option<String>,
}

impl Step {
    fn new(about: &'static str, text: impl Into<String>, command: Option<String>) -> Step {
        Step { about, text: text.into(), command }
    }
}

/// The commands of a project.
struct Commands<'a> {
    world: &'a World,
    jobs: &'a [JobStatus],
}

impl Commands<'_> {
    /// How the script of a checkpoint was run last, else the shipped one, if it is there.
    fn run(&self, checkpoint: &str, shipped: &str) -> Result<Option<String>> {
        let job = self.jobs.iter().find(|job| job.name == checkpoint);
        match job.and_then(|job| job.command.clone()) {
            Some(command) => Ok(Some(command)),
            None => self.shipped(shipped),
        }
    }

    fn shipped(&self, script: &str) -> Result<Option<String>> {
        Ok(self.world.project.exists(script)?.then(|| format!("fthost run {script}")))
    }

    fn generate(&self) -> Result<Option<String>> {
        self.run(GENERATED, "scripts/generate.rhai")
    }

    fn assess(&self) -> Result<Option<String>> {
        self.run(ASSESSED, "scripts/assess.rhai")
    }
}

/// The steps, the most urgent first.
pub fn steps(world: &World, figures: &Figures, jobs: &[JobStatus]) -> Result<Vec<Step>> {
    let commands = Commands { world, jobs };
    let funnel = &figures.funnel;
    if figures.is_empty() {
        let command = commands.generate()?;
        let step = |command| Step::new("generate", "nothing is made yet: make conversations", Some(command));
        return Ok(command.map(step).into_iter().collect());
    }
    let mut steps: Vec<Step> = damage(figures).into_iter().collect();
    steps.extend(unfinished(figures, &commands)?);
    // What is judged anew may be trained on again: cutting before that would empty the training data.
    let is_stale = steps.iter().any(|step| step.about == "stale");
    if !is_stale {
        steps.extend(slice(figures, &commands)?);
        if let Some(gate) = Gate::of(funnel.passed, funnel.complete) {
            steps.push(by_gate(gate, figures, &commands)?);
        }
    }
    steps.extend(judges(figures));
    steps.extend(human(figures));
    steps.extend(audit(figures, &commands)?);
    Ok(steps)
}

/// What could not be read: a line of a human may be a rejection.
fn damage(figures: &Figures) -> Option<Step> {
    let first = figures.notes.first()?;
    let more = figures.notes.len().saturating_sub(1);
    let more = if more > 0 { format!(" ({more} more)") } else { String::new() };
    Some(Step::new(
        "damage",
        format!("something cannot be read: {first}{more}"),
        Some("fthost doctor".into()),
    ))
}

fn slice(figures: &Figures, commands: &Commands) -> Result<Option<Step>> {
    let funnel = &figures.funnel;
    let is_left = funnel.losses.iter().any(|loss| loss.reason == "not_sliced");
    let text = if funnel.not_any_more > 0 {
        let transcripts = count(funnel.not_any_more, "transcript");
        format!("the training data holds {transcripts} that may not be trained on any more: cut it anew")
    } else if funnel.trainable > 0 && (funnel.examples == 0 || is_left) {
        "what may be trained on is not all in the training data: cut it into examples".into()
    } else {
        return Ok(None);
    };
    Ok(Some(Step::new("slice", text, commands.shipped("scripts/slice.rhai")?)))
}

/// What is begun and not brought to its end.
fn unfinished(figures: &Figures, commands: &Commands) -> Result<Vec<Step>> {
    let lost = |reasons: &[&str]| {
        let losses = figures.funnel.losses.iter().filter(|loss| reasons.contains(&loss.reason));
        losses.map(|loss| loss.count).sum::<usize>()
    };
    let mut steps = Vec::new();
    let not_made = lost(&["not_made", "failed_to_generate"]);
    if not_made > 0 {
        steps.push(Step::new(
            "generate",
            format!("{} not made yet: go on", count(not_made, "conversation")),
            commands.generate()?,
        ));
    }
    let open = lost(&["not_judged", "incomplete"]);
    if open > 0 {
        steps.push(Step::new(
            "assess",
            format!("{} without a complete verdict: judge them", count(open, "transcript")),
            commands.assess()?,
        ));
    }
    let stale = lost(&["rubric_changed", "transcript_changed"]);
    if stale > 0 {
        let text = format!(
            "{} of an older rubric or transcript: judge again, then cut anew",
            count(stale, "verdict")
        );
        let command = commands.assess()?.map(|command| format!("{command} --redo stale"));
        steps.push(Step::new("stale", text, command));
    }
    Ok(steps)
}

fn by_gate(gate: Gate, figures: &Figures, commands: &Commands) -> Result<Step> {
    let funnel = &figures.funnel;
    let share = format!(
        "{} of {} pass ({})",
        funnel.passed,
        funnel.complete,
        percent(funnel.passed, funnel.complete)
    );
    let worst = figures
        .criteria
        .iter()
        .max_by_key(|criterion| (criterion.no, std::cmp::Reverse(criterion.id.clone())));
    let worst = worst.filter(|criterion| criterion.no > 0);
    let most = worst
        .map(|criterion| {
            format!("; most fails {} ({}): {}", criterion.id, count(criterion.no, "time"), criterion.question)
        })
        .unwrap_or_default();
    Ok(match gate {
        Gate::Revise => Step::new("revise", format!("{share}: {}{most}", gate.words()), None),
        Gate::Iterate => Step::new("iterate", format!("{share}: {}{most}", gate.words()), None),
        Gate::Suspicious => Step::new(
            "suspicious",
            format!("{share}: {} Look at some yourself, and sharpen {RUBRIC}", gate.words()),
            None,
        ),
        Gate::Scale => Step::new(
            "scale",
            format!("{share}: {}", gate.words()),
            commands.generate()?.map(|command| more(&command, funnel.made)),
        ),
    })
}

/// The command with more personas.
fn more(command: &str, made: usize) -> String {
    let others = command.split_whitespace().collect::<Vec<_>>();
    let mut words: Vec<&str> = Vec::new();
    for word in others {
        match word.starts_with("personas=") {
            true => drop(words.pop()),
            false => words.push(word),
        }
    }
    format!("{} -s personas={}", words.join(" "), made * TIMES)
}

fn judges(figures: &Figures) -> Vec<Step> {
    let Some(judges) = &figures.judges else { return Vec::new() };
    let differ = |criterion: &CriterionAgreement| {
        (1.0 - criterion.percent.unwrap_or(1.0)) * criterion.records as f64 + 0.01 >= DIFFER
    };
    let apart = judges.asked().filter(|criterion| criterion.records >= ANSWERS && differ(criterion));
    let apart =
        apart.filter_map(|criterion| Some((criterion, criterion.alpha.filter(|alpha| *alpha < ALPHA)?)));
    let step = |(criterion, alpha): (&CriterionAgreement, f64)| {
        let text = format!(
            "judges disagree on {} (alpha {alpha:.2}): sharpen its question or add examples in {RUBRIC}",
            criterion.id
        );
        Step::new("judges", text, None)
    };
    apart.map(step).collect()
}

fn human(figures: &Figures) -> Option<Step> {
    let review = || Some("fthost review".to_string());
    match &figures.human {
        None if figures.funnel.complete > 0 => {
            Some(Step::new("human", "no human has looked at the verdicts yet: review some", review()))
        }
        Some(human) if human.agreement.verdicts.passed_rejected > 0 => {
            let text = format!(
                "humans rejected {} that the judges let pass: compare their answers with the judges'",
                human.agreement.verdicts.passed_rejected
            );
            Some(Step::new("human", text, None))
        }
        _ => None,
    }
}

fn audit(figures: &Figures, commands: &Commands) -> Result<Option<Step>> {
    let Some(audit) = &figures.audit else { return Ok(None) };
    let (then, now) = (audit.transcripts, figures.funnel.made);
    let failed: Vec<&str> =
        audit.gates.iter().filter(|gate| !gate.pass).map(|gate| gate.name.as_str()).collect();
    let text = if then < now {
        format!("the audit is of {}, and there are {now}: audit again", count(then, "transcript"))
    } else if !audit.pass {
        format!("the audit's gates do not hold: {}", failed.join(", "))
    } else {
        return Ok(None);
    };
    Ok(Some(Step::new("audit", text, commands.shipped("scripts/audit.rhai")?)))
}

/// `68 %`; nothing is rounded up to all, and nothing down to none.
pub fn percent(part: usize, all: usize) -> String {
    let share = (part * 200 + all) / (2 * all.max(1));
    let share = match share {
        100 if part < all => 99,
        0 if part > 0 => 1,
        share => share,
    };
    format!("{share} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_stand_where_they_are_said_to_stand() {
        let gates = [
            (0, 0, None),
            (49, 100, Some(Gate::Revise)),
            (50, 100, Some(Gate::Iterate)),
            (69, 100, Some(Gate::Iterate)),
        ];
        let more = [
            (70, 100, Some(Gate::Scale)),
            (99, 100, Some(Gate::Scale)),
            (10, 10, Some(Gate::Suspicious)),
            (9, 9, Some(Gate::Scale)),
        ];
        for (passed, judged, gate) in gates.into_iter().chain(more) {
            assert_eq!(Gate::of(passed, judged), gate, "{passed} of {judged}");
        }
    }

    #[test]
    fn more_personas_take_the_place_of_those_before() {
        assert_eq!(
            more("fthost run g.rhai -s personas=20 -s turns=3", 20),
            "fthost run g.rhai -s turns=3 -s personas=100"
        );
        assert_eq!(more("fthost run g.rhai", 20), "fthost run g.rhai -s personas=100");
    }

    #[test]
    fn percentages_are_honest_at_their_ends() {
        let told = [(41, 60), (199, 200), (200, 200), (1, 1000), (0, 5), (0, 0)]
            .map(|(part, all)| percent(part, all));
        assert_eq!(told, ["68 %", "99 %", "100 %", "1 %", "0 %", "0 %"]);
    }
}
