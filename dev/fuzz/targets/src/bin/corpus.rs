//! `corpus unpack TARGET` and `corpus pack TARGET`: between the archive and the folder that
//! libFuzzer reads and writes.

use std::{env, io};

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["unpack", target] => fuzz_targets::unpack(target),
        ["pack", target] => fuzz_targets::pack(target),
        _ => Err(io::Error::other("usage: corpus unpack|pack TARGET")),
    }
}
