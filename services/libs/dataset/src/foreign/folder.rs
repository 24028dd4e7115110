//! Image folders, arriving as a tar archive.
//!
//! Without a `labels.csv` every picture lies in a folder named by its class number. The archive is gone
//! through twice: for the names and the table, then for the pictures, of which one is in memory at a time.
//! Images are stored in the archive's order.

use std::collections::BTreeSet;
use std::path::Path;

use super::axes::check_size;
use super::entries;
use super::labels_csv::{FILE, LabelTable, Row, whole};
use super::{PictureOptions, ReadOptions};
use crate::canonical::{CanonicalWriter, Dtype, ImageSize, MAX_LABEL, Summary};
use crate::error::DatasetError;
use crate::picture::read_picture;
use crate::prepare::Raster;
use crate::preprocessing::{ExifOrientation, MAX_SIDE};

/// Bytes of the longest table of labels.
const MAX_TABLE: u64 = 256 << 20;

/// Reads the pictures and their labels from the archive.
pub(super) fn read(source: &Path, options: &ReadOptions, target: &Path) -> Result<Summary, DatasetError> {
    let swaps = options.swaps_colours()?;
    check_fit(&options.pictures)?;
    let table = survey(source, options)?;
    let mut collector = Collector { options, swaps, target, writer: None, labels: vec![], groups: vec![] };
    entries::visit(source, entry_limit(options), |path, content| {
        if path == FILE {
            return Ok(());
        }
        let row = row_of(path, table.as_ref())?;
        collector.add(path, &content()?, row)
    })?;
    collector.finish(table.is_some_and(|table| table.has_groups))
}

fn check_fit(options: &PictureOptions) -> Result<(), DatasetError> {
    let sides = 1..=MAX_SIDE;
    match options.fit {
        Some(fit) if !sides.contains(&fit.height) || !sides.contains(&fit.width) => {
            let fault = format!("is {} x {}: give sides of 1 to {MAX_SIDE} pixels", fit.height, fit.width);
            Err(DatasetError::Option { option: "pictures.fit", fault })
        }
        _ => Ok(()),
    }
}

fn entry_limit(options: &ReadOptions) -> u64 {
    options.pictures.limits.max_bytes.max(MAX_TABLE)
}

/// Goes through the names: refuses doubles, counts the pictures, reads the table, and holds the two against
/// each other.
fn survey(source: &Path, options: &ReadOptions) -> Result<Option<LabelTable>, DatasetError> {
    let mut names = BTreeSet::new();
    let mut table = None;
    entries::visit(source, entry_limit(options), |path, content| {
        if !names.insert(path.to_owned()) {
            return Err(entry(path, "stands there twice"));
        }
        if path == FILE {
            let content = content()?;
            let text = std::str::from_utf8(&content).map_err(|_| entry(path, "is no UTF-8 text"))?;
            table = Some(LabelTable::parse(text)?);
        }
        let (what, limit) = ("the number of images", options.limits.max_images);
        let found = names.len() as u64 - u64::from(names.contains(FILE));
        if found > limit { Err(DatasetError::TooLarge { what, found, limit }) } else { Ok(()) }
    })?;
    names.remove(FILE);
    if names.is_empty() {
        return Err(DatasetError::Inconsistent { fault: "the image folder holds no pictures".to_owned() });
    }
    if let Some(missing) =
        table.iter().flat_map(|table| table.rows.keys()).find(|file| !names.contains(*file))
    {
        return Err(entry(missing, "has a line in labels.csv but is not there"));
    }
    Ok(table)
}

fn row_of(path: &str, table: Option<&LabelTable>) -> Result<Row, DatasetError> {
    if let Some(table) = table {
        let row = table.rows.get(path).copied();
        return row.ok_or_else(|| entry(path, "has no line in labels.csv"));
    }
    let class = path.split_once('/').filter(|(_, file)| !file.contains('/')).map(|(class, _)| class);
    let label = class.and_then(|class| whole(class, MAX_LABEL));
    let misplaced = "does not lie in a folder named by its class number: use LABEL/FILE, or a labels.csv";
    label.map(|label| Row { label, group: None }).ok_or_else(|| entry(path, misplaced))
}

struct Collector<'a> {
    options: &'a ReadOptions,
    swaps: bool,
    target: &'a Path,
    writer: Option<(ImageSize, CanonicalWriter)>,
    labels: Vec<i64>,
    groups: Vec<i64>,
}

impl Collector<'_> {
    fn add(&mut self, path: &str, content: &[u8], row: Row) -> Result<(), DatasetError> {
        let raster = self.decode(path, content)?;
        let (height, width) = raster.size();
        let mut image = raster.into_samples();
        let channels = if self.options.pictures.grey { 1 } else { 3 };
        let size = ImageSize { height: height as u64, width: width as u64, channels };
        check_size(self.labels.len() as u64 + 1, size, Dtype::Uint8, &self.options.limits)?;
        let (expected, writer) = if let Some(known) = &mut self.writer {
            known
        } else {
            let writer = CanonicalWriter::create(self.target, size, Dtype::Uint8)?;
            self.writer.insert((size, writer))
        };
        if size != *expected {
            let fault = format!(
                "has {height} x {width} pixels, the pictures before it have {} x {}: \
                 bring all to one size, or give pictures.fit",
                expected.height, expected.width
            );
            return Err(entry(path, &fault));
        }
        if self.swaps && channels == 3 {
            image.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| pixel.swap(0, 2));
        }
        writer.push_u8(&image)?;
        self.labels.push(row.label);
        self.groups.extend(row.group);
        Ok(())
    }

    fn decode(&self, path: &str, content: &[u8]) -> Result<Raster<u8>, DatasetError> {
        let PictureOptions { grey, alpha, fit, limits } = &self.options.pictures;
        let picture = read_picture(content, limits)
            .map_err(|source| DatasetError::Picture { path: path.to_owned(), source })?;
        let heeds = fit.is_some_and(|fit| fit.rule.exif_orientation == ExifOrientation::Apply);
        let picture = if heeds && picture.is_turned() { picture.upright() } else { picture };
        let misfit = |source| DatasetError::Misfit { path: path.to_owned(), source };
        let raster =
            Raster::of_picture(&picture).with_channels(if *grey { 1 } else { 3 }, *alpha).map_err(misfit)?;
        match fit {
            Some(fit) => {
                raster.fitted(fit.height as usize, fit.width as usize, Some(fit.rule)).map_err(misfit)
            }
            None => Ok(raster),
        }
    }

    fn finish(self, has_groups: bool) -> Result<Summary, DatasetError> {
        let none = || DatasetError::Inconsistent { fault: "the image folder holds no pictures".to_owned() };
        let (_, writer) = self.writer.ok_or_else(none)?;
        writer.finish(&self.labels, has_groups.then_some(self.groups.as_slice()))
    }
}

fn entry(path: &str, fault: &str) -> DatasetError {
    DatasetError::Entry { path: path.to_owned(), fault: fault.to_owned() }
}
