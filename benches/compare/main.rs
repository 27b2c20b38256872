//! fthost beside others, in one run. Run `cargo bench --bench compare`.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

mod calls;
mod plain;
#[path = "../server/mod.rs"]
mod server;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts benches, too; there is nothing to measure then.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if let [flag, load] = &arguments[..]
        && flag == "--client"
    {
        let took = calls::client(&serde_json::from_str(load).unwrap());
        return println!("{}", serde_json::to_string(&took).unwrap());
    }
    calls::run();
}
