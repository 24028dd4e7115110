//! A few pictures as PNG files, for people and for `classify`.

use std::path::Path;

use image::{ColorType, ImageFormat, save_buffer_with_format};

use crate::error::LabError;
use crate::pictures::Pictures;

/// Writes the pictures of these rows as `PREFIX_LABEL_ROW.png`.
pub(crate) fn write(
    folder: &Path,
    prefix: &str,
    pictures: &Pictures,
    rows: &[usize],
) -> Result<(), LabError> {
    let size = pictures.size();
    let colours = if size.channels == 1 { ColorType::L8 } else { ColorType::Rgb8 };
    for row in rows {
        let path = folder.join(format!("{prefix}_{}_{row}.png", pictures.labels()[*row]));
        let (width, height) = (size.width as u32, size.height as u32);
        let saved =
            save_buffer_with_format(&path, pictures.picture(*row), width, height, colours, ImageFormat::Png);
        saved.map_err(|error| LabError::File {
            action: "write",
            path: path.clone(),
            source: std::io::Error::other(error.to_string()),
        })?;
    }
    Ok(())
}
