//! Hit ratios of the cache's policy beside others, over frozen traces.
//!
//! `cargo run --release -p session-cache --example hit_ratio` prints the table and writes it as a
//! picture to `target/hit_ratio.svg`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a simulation computes with fractions of counts below 2^53"
)]
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

mod picture;
mod rivals;
#[path = "../../tests/support/mod.rs"]
mod support;
mod traces;

use std::{error, fs, path::Path};

use crate::traces::{CAPACITY, Trace};

fn main() -> Result<(), Box<dyn error::Error>> {
    let traces = traces::all()?;
    println!("hit ratio in %, capacity {CAPACITY}");
    print!("{:<12}", "");
    for (name, _) in rivals::ALL {
        print!("{name:>14}");
    }
    println!();
    let mut rows = Vec::new();
    for trace in &traces {
        let ratios = rivals::ALL.map(|(_, new)| ratio(trace, new().as_mut()));
        print!("{:<12}", trace.name);
        for ratio in ratios {
            print!("{ratio:>14.2}");
        }
        println!("   {}", trace.about);
        rows.push((trace.name, ratios));
    }
    let picture = picture::bars(rivals::ALL.map(|(name, _)| name), &rows);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/hit_ratio.svg");
    fs::write(&path, picture)?;
    println!("picture: target/hit_ratio.svg");
    Ok(())
}

/// Hits in percent of all requests, from an empty cache on.
fn ratio(trace: &Trace, rival: &mut dyn rivals::Rival) -> f64 {
    let hits = trace.requests.iter().filter(|session| rival.asked(**session)).count();
    hits as f64 * 100.0 / trace.requests.len() as f64
}
