//! The command line: one file a subcommand. Only this layer prints, reads variables and exits.

mod args;
mod check;
mod clock;
mod docs;
mod doctor;
mod dry;
mod eval;
mod exit;
mod init;
mod json;
mod live;
mod output;
mod progress;
mod project;
mod repl;
mod report;
mod retry;
mod review;
pub mod room;
mod rounds;
mod run;
mod signals;
mod standing;
mod status;
mod summary;
mod test;
mod traffic;
mod waits;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::base::panic::catch_panic;
use args::{Args, Command};
use output::Output;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // A panic is caught and reported as an error, without Rust's words.
    std::panic::set_hook(Box::new(|_| {}));
    signals::outlive_file_limits();
    let args = Args::parse();
    let output = Output::new(args.common.quiet, args.command.json());
    let code = catch_panic("the command", || dispatch(&args, &output)).unwrap_or_else(|error| {
        output.error(&error);
        exit::code(&error)
    });
    output.flush();
    ExitCode::from(code)
}

fn dispatch(args: &Args, output: &Output) -> crate::base::Result<u8> {
    match &args.command {
        Command::Init(init) => init::run(init, output),
        Command::Run(run) => run::run(&args.common, run, output),
        Command::Repl(repl) => repl::run(&args.common, repl, output),
        Command::Eval(eval) => eval::run(&args.common, eval, output),
        Command::Check(check) => check::run(&args.common, check, output),
        Command::Test(test) => test::run(&args.common, test, output),
        Command::Status(status) => status::run(&args.common, status, output),
        Command::Report(report) => report::run(&args.common, report, output),
        Command::Retry(retry) => retry::run(&args.common, retry, output),
        Command::Doctor(doctor) => doctor::run(&args.common, doctor, output),
        Command::Review(review) => review::run(&args.common, review, output),
        Command::Docs(docs) => docs::run(docs, output),
    }
}
