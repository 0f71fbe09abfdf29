//! A short run of the harness `examples/hammer.rs`, which starts this very program as its processes.

#[path = "../examples/hammer.rs"]
mod harness;

fn main() -> std::process::ExitCode {
    harness::main()
}
