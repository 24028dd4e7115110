//! `gifthorse calibration show ID`

use gifthorse_api::v1;

use super::human::Shown;
use super::{Session, Which};
use crate::error::CommandError;

pub(super) async fn run(session: &mut Session, which: Which) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let request = v1::GetCalibrationRequest { name: which.name.resource() };
    let reply =
        gateway.detection().get_calibration(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), Shown::new)
}
