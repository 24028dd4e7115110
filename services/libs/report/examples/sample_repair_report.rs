//! Writes a report on a repair that nobody made, to see what such reports look like:
//! `cargo run -p gifthorse-report --example sample_repair_report -- FOLDER [CHANNELS HEIGHT WIDTH]`.

#[path = "../tests/common/repair.rs"]
mod common;

use std::path::Path;

use gifthorse_report::repair;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name the folder to write to")?;
    let sizes = arguments.map(|size| size.parse()).collect::<Result<Vec<usize>, _>>()?;
    let (channels, height, width) = match sizes[..] {
        [channels, height, width] => (channels, height, width),
        _ => (60, 5, 4),
    };
    let record = common::repair(channels, (height, width), &["sunglasses", "lipstick"]);
    repair::write(Path::new(&folder), &record)?;
    Ok(())
}
