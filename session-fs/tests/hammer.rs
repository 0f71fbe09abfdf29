//! A short run of `examples/hammer.rs`, which starts this very program as its processes.

#[path = "../examples/hammer.rs"]
mod program;

fn main() -> std::process::ExitCode {
    program::main()
}
