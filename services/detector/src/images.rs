//! A stored data set as a network takes it, read image by image.

use gifthorse_api::name::Identifier;
use gifthorse_dataset::canonical::{GROUPS, IMAGES, LABELS};
use gifthorse_dataset::prepare::PixelValues;
use gifthorse_dataset::preprocessing::Preprocessing;
use gifthorse_dataset::{DatasetError, DatasetView};
use gifthorse_quarantine::PrivateFolder;
use gifthorse_store::{DatasetRecord, Datasets, FileName};
use ndarray::{Array3, Array4, Axis, concatenate};

use crate::error::DetectorError;
use crate::network::rows_of;

/// Labelled images of a data set. The files lie in a private folder that goes with this value.
#[derive(Debug)]
pub(crate) struct Images {
    record: DatasetRecord,
    view: DatasetView,
    preprocessing: Preprocessing,
    labels: Vec<usize>,
    _folder: PrivateFolder,
}

/// Levels 0..255 of one picture, `[H, W, C]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pixels {
    pub(crate) shape: [usize; 3],
    pub(crate) levels: Vec<u8>,
}

impl Images {
    /// Fetches the data set and checks that its images fit the network: `classes` classes, prepared by this
    /// record.
    pub(crate) async fn open(
        datasets: &Datasets,
        name: &Identifier,
        preprocessing: Preprocessing,
        classes: usize,
    ) -> Result<Self, DetectorError> {
        let record = datasets.get(name).await?;
        let folder =
            PrivateFolder::create().map_err(|_| DetectorError::Internal("making a temporary folder"))?;
        for file in [IMAGES, LABELS, GROUPS] {
            let file: FileName = file.parse()?;
            if record.files.contains_key(&file) {
                datasets.fetch_file(&record, &file, &folder.path().join(file.as_str())).await?;
            }
        }
        let path = folder.path().to_owned();
        let view = tokio::task::spawn_blocking(move || DatasetView::open(&path))
            .await
            .map_err(|_| DetectorError::Internal("opening a data set"))??;
        let labels = view
            .labels()
            .iter()
            .map(|label| usize::try_from(*label).ok().filter(|label| *label < classes).ok_or(*label))
            .collect::<Result<Vec<_>, i64>>()
            .map_err(|label| DetectorError::CleanData {
                dataset: name.to_string(),
                fault: format!(
                    "has the label {label}, which is no class of this network (0..{classes}): label images \
                     with the classes of the network"
                ),
            })?;
        let images = Self { record, view, preprocessing, labels, _folder: folder };
        // Sides and channels are alike for all images: one tells for all.
        images.prepared(0)?;
        Ok(images)
    }

    /// The data set's record.
    pub(crate) const fn record(&self) -> &DatasetRecord {
        &self.record
    }

    /// N.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The known class of each image.
    pub(crate) fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Groups of near-duplicates, where the data set has them.
    pub(crate) fn groups(&self) -> Option<&[i64]> {
        self.view.groups()
    }

    /// One prepared image.
    pub(crate) fn prepared(&self, row: usize) -> Result<Array3<f32>, DetectorError> {
        let rows = self.view.read(row as u64..row as u64 + 1)?;
        let image = rows.prepare(&self.preprocessing)?;
        Ok(rows_of(image).index_axis_move(Axis(0), 0))
    }

    /// Several prepared images `[N, ...]`, at least one.
    pub(crate) fn gather(&self, rows: &[usize]) -> Result<Array4<f32>, DetectorError> {
        let images = rows
            .iter()
            .map(|row| Ok(self.prepared(*row)?.insert_axis(Axis(0))))
            .collect::<Result<Vec<_>, DetectorError>>()?;
        let views: Vec<_> = images.iter().map(|image| image.view()).collect();
        concatenate(Axis(0), &views).map_err(|_| DetectorError::Internal("gathering images"))
    }

    /// One image as it is stored, for showing.
    pub(crate) fn pixels(&self, row: usize) -> Result<Pixels, DatasetError> {
        let rows = self.view.read(row as u64..row as u64 + 1)?;
        let [_, height, width, channels] = rows.shape().map(|side| side as usize);
        let levels = match rows.values() {
            PixelValues::U8(levels) => levels.to_vec(),
            PixelValues::F32(levels) => levels.iter().map(|level| level.clamp(0.0, 255.0) as u8).collect(),
        };
        Ok(Pixels { shape: [height, width, channels], levels })
    }
}
