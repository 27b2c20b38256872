//! The arguments of all subcommands.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::host::templates::TEMPLATES;

/// Fine-tuning data from multi-turn conversations: generate, assess, slice.
#[derive(Parser)]
#[command(name = "fthost", version, arg_required_else_help = true)]
pub struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(ClapArgs)]
pub struct Common {
    /// The project's directory [default: the nearest parent with config/fthost.yaml]
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// Say more: every item as it ends
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Say only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Write a new project: configuration, prompts, scripts
    Init(Init),
    /// Run scripts, in order; what is done already is skipped
    Run(Run),
    /// Try out entries one by one: a prompt with the host's functions, completion and history
    Repl(Repl),
    /// Evaluate an expression: fthost eval 'count_tokens("Hello")'
    Eval(Eval),
    /// Find mistakes in scripts, configuration, rubric and templates; sends nothing but with --live
    Check(Check),
    /// Run the tests of the project's scripts: tests/**/*_test.rhai
    Test(Test),
    /// How far each job is, what was spent, how good the data is, and what to do next
    Status(Status),
    /// Write all figures and transcripts into one HTML file, to look at in a browser
    Report(Report),
    /// Clear failures, so that the next run begins these items anew
    Retry(Retry),
    /// Check the ledger, the checkpoints and the files against each other
    Doctor(Doctor),
    /// Read transcripts beside their verdicts, agree or disagree, accept or reject; human against judges
    Review(Review),
    /// Print the reference of the host API
    Docs(Docs),
}

impl Command {
    /// Whether stdout is for machines.
    pub fn json(&self) -> bool {
        match self {
            Command::Run(run) => run.json,
            Command::Check(check) => check.json,
            Command::Test(test) => test.json,
            Command::Status(status) => status.json,
            Command::Review(review) => review.json,
            _ => false,
        }
    }
}

/// `fthost init`
#[derive(ClapArgs)]
pub struct Init {
    /// Where to; it may exist, and must not hold a project
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Which project
    #[arg(long, value_name = "NAME", value_parser = template_names(), default_value = TEMPLATES[0].name)]
    pub template: String,
}

/// The templates by name, for the help and for what a wrong name is answered with.
fn template_names() -> PossibleValuesParser {
    TEMPLATES.iter().map(|template| PossibleValue::new(template.name).help(template.about)).into()
}

/// `fthost run`
#[derive(ClapArgs)]
pub struct Run {
    /// Scripts, run in this order; one that ends other than 0 or 1 stops the rest
    #[arg(required = true, value_name = "SCRIPT")]
    pub scripts: Vec<String>,
    /// A setting that scripts read as setting("key", default)
    #[arg(short, value_name = "KEY=VALUE")]
    pub setting: Vec<String>,
    /// Only the first N items, done ones included
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Redo records: stale (something they depend on changed), all, or ID,ID,...
    #[arg(long, value_name = "stale|all|ID,...")]
    pub redo: Option<String>,
    /// Ask the models anew, also what they have answered before
    #[arg(long)]
    pub fresh: bool,
    /// Items at a time; wins over the scripts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: Option<u32>,
    /// Spend no more than so many dollars; needs a price and max_tokens for each backend
    #[arg(long, value_name = "X", value_parser = dollars)]
    pub max_usd: Option<f64>,
    /// Make no more than so many calls
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// Try 3 items of each step without any model, write nothing, and tell what the whole would cost
    #[arg(long)]
    pub dry_run: bool,
    /// Run again after each edit, with --redo stale, and show what changed; Ctrl-C ends it
    #[arg(long)]
    pub watch: bool,
    /// Stop at the first item that fails
    #[arg(long)]
    pub fail_fast: bool,
    /// One JSON event a line on stdout
    #[arg(long)]
    pub json: bool,
}

/// An amount of money.
fn dollars(text: &str) -> Result<f64, String> {
    let amount = text.trim_start_matches('$').parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0);
    amount.ok_or_else(|| "write dollars, for instance 2.50".into())
}

/// `fthost repl`
#[derive(ClapArgs)]
pub struct Repl {
    /// Scripts to run first; their functions and variables are at hand
    #[arg(value_name = "SCRIPT")]
    pub scripts: Vec<String>,
    /// A setting that scripts read as setting("key", default)
    #[arg(short, value_name = "KEY=VALUE")]
    pub setting: Vec<String>,
    /// Spend no more than so many dollars; needs a price and max_tokens for each backend
    #[arg(long, value_name = "X", value_parser = dollars)]
    pub max_usd: Option<f64>,
    /// Make no more than so many calls
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
}

/// `fthost eval`
#[derive(ClapArgs)]
pub struct Eval {
    /// An expression, or statements that end in one
    pub expression: String,
    /// Print the value as JSON
    #[arg(long)]
    pub json: bool,
}

/// `fthost check`
#[derive(ClapArgs)]
pub struct Check {
    /// Entry scripts [default: all of the project]
    #[arg(value_name = "SCRIPT")]
    pub scripts: Vec<String>,
    /// Then ask every backend of the roles twice: in free text, and for JSON; costs a few tokens
    #[arg(long)]
    pub live: bool,
    /// What a code means, with a wrong and a right example; without a code, the list of codes
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["live", "json"])]
    pub explain: Option<String>,
    /// One JSON finding a line
    #[arg(long)]
    pub json: bool,
}

/// `fthost test`
#[derive(ClapArgs)]
pub struct Test {
    /// Only tests whose `file::test_name` has this part
    pub filter: Option<String>,
    /// Run them again after each edit, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Write the snapshots of the tests that run, instead of holding values against them
    #[arg(long)]
    pub update: bool,
    /// How long a test may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// One JSON event a line on stdout
    #[arg(long)]
    pub json: bool,
}

/// `fthost status`
#[derive(ClapArgs)]
pub struct Status {
    /// One JSON event
    #[arg(long)]
    pub json: bool,
}

/// `fthost report`
#[derive(ClapArgs)]
pub struct Report {
    /// Where to [default: data/report.html in the project]
    #[arg(short, long = "out", value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}

/// `fthost retry`
#[derive(ClapArgs)]
pub struct Retry {
    /// Ids of items, or kinds of their errors [default: all that failed]
    #[arg(value_name = "ID|KIND")]
    pub names: Vec<String>,
    /// Forget their replies, too: the models are asked anew, and paid anew
    #[arg(long)]
    pub fresh: bool,
}

/// `fthost doctor`
#[derive(ClapArgs)]
pub struct Doctor {
    /// Mend what can be mended safely; nothing is deleted
    #[arg(long)]
    pub repair: bool,
}

/// `fthost review`
#[derive(ClapArgs)]
pub struct Review {
    /// Transcripts [default: those that --filter chooses]
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Which transcripts; all but `all` leave out what is reviewed already
    #[arg(long, value_enum, conflicts_with = "ids")]
    pub filter: Option<ReviewFilter>,
    /// Only those with an answer to this criterion; the filter then goes by that answer
    #[arg(long, value_name = "C3", conflicts_with = "ids")]
    pub criterion: Option<String>,
    /// Only N of them, drawn by the seed: the same ones each time
    #[arg(long, value_name = "N", conflicts_with = "ids", value_parser = clap::value_parser!(u32).range(1..))]
    pub random: Option<u32>,
    /// Draws another sample
    #[arg(long, value_name = "S", requires = "random", default_value_t = 0)]
    pub seed: u64,
    /// Who reviews [default: the user of this system]
    #[arg(long, value_name = "NAME")]
    pub reviewer: Option<String>,
    /// Accept the named transcripts, without a terminal
    #[arg(long, requires = "ids", conflicts_with = "reject")]
    pub accept: bool,
    /// Reject the named transcripts, without a terminal: they are not trained on
    #[arg(long, requires = "ids")]
    pub reject: bool,
    /// A note, with --accept or --reject
    #[arg(long, value_name = "TEXT", requires = "ids")]
    pub note: Option<String>,
    /// Your own answer to a criterion, with --accept or --reject
    #[arg(long, value_name = "C3=NO", requires = "ids")]
    pub answer: Vec<String>,
    /// Print how far the judges agree with the reviews
    #[arg(long, conflicts_with_all = ["ids", "filter", "criterion", "random"])]
    pub agreement: bool,
    /// --agreement as one JSON event
    #[arg(long, requires = "agreement")]
    pub json: bool,
}

/// Which transcripts are reviewed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReviewFilter {
    /// Those that were judged
    All,
    /// Those without a review (the default)
    Unreviewed,
    /// Those that the judges differ on
    Disagreements,
    /// Those that did not pass
    Failed,
    /// Those that passed
    Passed,
    /// Those whose review is of an earlier text or rubric
    Stale,
}

/// `fthost docs`
#[derive(ClapArgs)]
pub struct Docs {
    /// Of what form
    #[arg(long, value_enum, default_value = "md")]
    pub format: Format,
}

/// The forms of the reference.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    /// Markdown
    Md,
    /// JSON
    Json,
    /// Definitions for editors: a .d.rhai file
    Rhai,
}
