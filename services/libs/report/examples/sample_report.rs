//! Writes a report on networks that nobody measured, to see what reports look like:
//! `cargo run -p gifthorse-report --example sample_report -- FOLDER`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;

use gifthorse_report::{Report, write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("name the folder to write to")?;
    let evaluations = vec![
        common::evaluation("models/sunglasses/versions/1", 50, &["sunglasses"]),
        common::evaluation("models/multi_trigger/versions/2", 2_000, &["eyebrows", "lipstick", "sunglasses"]),
    ];
    let report = Report {
        title: "Sample: two networks that do not exist".to_owned(),
        evaluations,
        made_at: "2026-01-02T03:04:05Z".to_owned(),
        command: "gifthorse evaluate sunglasses --clean faces.h5 --triggered sunglasses.h5 --report report"
            .to_owned(),
    };
    write(Path::new(&folder), &report)?;
    Ok(())
}
