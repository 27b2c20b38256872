//! The `fthost` binary: everything is in the library's `cli`.

fn main() -> std::process::ExitCode {
    fthost::cli::main()
}
