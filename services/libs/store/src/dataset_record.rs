//! What the store says of a data set.

use gifthorse_api::catalogue::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::artefacts::{ArtefactRecord, Artefacts, Contents};
use crate::file_name::OriginalName;

/// The data sets, under `datasets/NAME`.
pub type Datasets = Artefacts<DatasetContents>;

/// The record of a stored data set.
pub type DatasetRecord = ArtefactRecord<DatasetContents>;

/// The kind of file a data set came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetSource {
    /// HDF5 with `data` and `label`.
    Hdf5,
    /// NPZ with `data` and `label`.
    Npz,
    /// A folder of images, or a tar of one.
    ImageFolder,
}

/// What one number of a stored pixel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelType {
    /// 0..255, one byte.
    Uint8,
    /// 0..255, 32-bit floats.
    Float32,
}

/// The labels of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSummary {
    /// Distinct labels.
    pub class_count: u64,
    /// Lowest label.
    pub lowest: i64,
    /// Highest label.
    pub highest: i64,
}

/// Labelled images, `[N, H, W, C]`, as the reader counted them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetContents {
    /// Images, N.
    pub image_count: u64,
    /// Rows of pixels, H.
    pub height: u32,
    /// Columns of pixels, W.
    pub width: u32,
    /// Colour channels, C.
    pub channels: u32,
    /// What one number of a pixel is.
    pub pixel_type: PixelType,
    /// The labels.
    pub labels: LabelSummary,
    /// Distinct groups of near-duplicates; none when the images carry no group ids.
    pub group_count: Option<u64>,
    /// Images that are equal to an earlier one, byte for byte.
    pub duplicate_count: u64,
    /// The kind of file it came in.
    pub source: DatasetSource,
    /// Name of that file.
    pub file_name: OriginalName,
}

impl Contents for DatasetContents {
    const COLLECTION: &'static str = "datasets";
    const MARK: &'static str = "dataset.json";
    const FORMAT: u32 = 1;
    const NOT_FOUND: ErrorCode = ErrorCode::DatasetNotFound;

    fn check(&self) -> Result<(), String> {
        let sides = [("image_count", self.image_count), ("height", self.height.into())];
        let sides =
            sides.into_iter().chain([("width", self.width.into()), ("channels", self.channels.into())]);
        for (side, value) in sides {
            if value == 0 {
                return Err(format!("{side} is 0"));
            }
        }
        let LabelSummary { class_count, lowest, highest } = self.labels;
        if lowest > highest {
            return Err(format!("the lowest label {lowest} is above the highest, {highest}"));
        }
        if class_count == 0 || class_count > self.image_count || class_count - 1 > lowest.abs_diff(highest) {
            return Err(format!(
                "{class_count} distinct labels cannot lie in {lowest}..={highest} with {} images",
                self.image_count
            ));
        }
        if self.duplicate_count >= self.image_count {
            return Err(format!("{} of {} images are duplicates", self.duplicate_count, self.image_count));
        }
        match self.group_count {
            Some(groups) if groups == 0 || groups > self.image_count => {
                Err(format!("{groups} groups cannot hold {} images", self.image_count))
            }
            _ => Ok(()),
        }
    }
}
