//! A short run of the harness `examples/crash.rs`, which starts this very program as its processes.

#[path = "../examples/crash.rs"]
mod harness;

fn main() -> std::process::ExitCode {
    harness::main()
}
