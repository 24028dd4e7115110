//! `gifthorse calibration list [NAME]`

use gifthorse_api::v1;

use super::Session;
use crate::error::CommandError;
use crate::output::number::number;
use crate::output::table::{Align, Table};
use crate::output::time;
use crate::reference::{ModelReference, short};

/// What is listed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// List those of this model, NAME, or of one version, NAME@VERSION [default: all]
    name: Option<ModelReference>,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let mut client = gateway.detection();
    let model = arguments.name.as_ref().map(ModelReference::resource).unwrap_or_default();
    let mut calibrations = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListCalibrationsRequest { model: model.clone(), page_size: 0, page_token };
        let page =
            client.list_calibrations(request).await.map_err(|status| gateway.refused(status))?.into_inner();
        calibrations.extend(page.calibrations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    session.output.replies(&calibrations, table)
}

fn table(calibrations: &[v1::Calibration]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("MODEL", Align::Left),
        ("DATA SET", Align::Left),
        ("IMAGES", Align::Right),
        ("BANK", Align::Right),
        ("LEAST ALPHA", Align::Right),
        ("DETECTORS", Align::Left),
        ("CREATED", Align::Left),
    ]);
    for calibration in calibrations {
        let first = calibration.fused.as_ref().or(calibration.detectors.first());
        let detectors: Vec<&str> = calibration.detectors.iter().map(super::human::name).collect();
        table.row([
            short(&calibration.name).to_string(),
            short(&calibration.model_version).to_string(),
            short(&calibration.dataset).to_string(),
            first.map(|found| found.calibration_images.to_string()).unwrap_or_default(),
            calibration.overlays.to_string(),
            first.map(|found| number(found.least_alpha)).unwrap_or_default(),
            detectors.join(", "),
            time(calibration.create_time.as_ref()),
        ]);
    }
    table
}
