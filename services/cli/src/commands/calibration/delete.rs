//! `gifthorse calibration delete ID`

use gifthorse_api::v1;

use super::{Session, Which};
use crate::error::CommandError;

pub(super) async fn run(session: &mut Session, which: Which) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let name = which.name.resource();
    let request = v1::DeleteCalibrationRequest { name: name.clone() };
    let reply =
        gateway.detection().delete_calibration(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), |_| format!("deleted {name}"))
}
