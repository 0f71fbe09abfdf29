//! A short run of `examples/crash.rs`, which starts this very program as its processes.

#[path = "../examples/crash.rs"]
mod program;

fn main() -> std::process::ExitCode {
    program::main()
}
