//! Data sets in HDF5.

use std::ops::Range;
use std::path::Path;

use hdf5::plist::dataset_create::Layout as Storage;
use hdf5::types::{FloatSize, IntSize, TypeDescriptor};
use hdf5::{Dataset, File, H5Type, Hyperslab, IndexType, IterationOrder, LinkType, Selection, SliceOrIndex};
use ndarray::IxDyn;

use super::axes::ImageAxes;
use super::blocks::{BlockWriter, images_in_block};
use super::numbers::Column;
use super::{ReadOptions, damaged, keys};
use crate::canonical::{Dtype, Summary};
use crate::error::DatasetError;
use crate::npy::Number;

/// The most names at a file's root that are looked at.
const MAX_NAMES: usize = 1000;

/// What the stored numbers are, as far as reading them differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Bytes,
    Whole { bytes: usize },
    Floats { bytes: usize },
}

impl Stored {
    const fn dtype(self) -> Dtype {
        match self {
            Self::Bytes | Self::Whole { .. } => Dtype::Uint8,
            Self::Floats { .. } => Dtype::Float32,
        }
    }

    /// Bytes of a number in memory: all but bytes are read at their widest.
    const fn bytes(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Whole { bytes } | Self::Floats { bytes } => {
                if bytes > 8 {
                    bytes
                } else {
                    8
                }
            }
        }
    }
}

/// Reads images, labels and groups from the root of the file.
pub(super) fn read(source: &Path, options: &ReadOptions, target: &Path) -> Result<Summary, DatasetError> {
    let fault = |error: hdf5::Error| damaged(source, error);
    let file = File::open(source).map_err(fault)?;
    let present = names(&file).map_err(fault)?;
    let arrays = &options.arrays;
    let images = keys::IMAGES.require(arrays.images_key.as_deref(), &present)?;
    let labels = keys::LABELS.require(arrays.labels_key.as_deref(), &present)?;
    let groups = keys::GROUPS.find(arrays.groups_key.as_deref(), &present)?;

    let array = Array::open(&file, &images, source)?;
    let axes = ImageAxes::of(&array.shape, arrays.layout)?;
    axes.check(array.stored.dtype(), &options.limits)?;
    let labels = column(Column::Label, &Array::open(&file, &labels, source)?, axes.count)?;
    let groups = groups
        .map(|name| column(Column::Group, &Array::open(&file, &name, source)?, axes.count))
        .transpose()?;
    let mut writer = BlockWriter::create(target, axes, array.stored.dtype(), options)?;
    let block = images_in_block(axes.samples(), array.stored.bytes(), array.rows_together()) as u64;
    let mut start = 0;
    while start < axes.count {
        let end = axes.count.min(start.saturating_add(block));
        let rows = start as usize..end as usize;
        match array.stored {
            Stored::Bytes => writer.push_u8(&array.rows::<u8>(rows)?)?,
            Stored::Whole { .. } => {
                writer.push_whole(array.rows::<i64>(rows)?.into_iter().map(i128::from))?;
            }
            Stored::Floats { .. } => writer.push_floats(array.rows::<f64>(rows)?.into_iter())?,
        }
        start = end;
    }
    writer.finish(&labels, groups.as_deref())
}

fn column(column: Column, array: &Array<'_>, count: u64) -> Result<Vec<i64>, DatasetError> {
    column.check_shape(&array.shape, count)?;
    let rows = 0..count as usize;
    match array.stored {
        Stored::Bytes | Stored::Whole { .. } => {
            column.whole(array.rows::<i64>(rows)?.into_iter().map(|number| Number::Whole(number.into())))
        }
        Stored::Floats { .. } => column.whole(array.rows::<f64>(rows)?.into_iter().map(Number::Float)),
    }
}

/// The names at the root that lead to something in this very file: an external link would make us read
/// whatever file of this machine it names.
fn names(file: &File) -> hdf5::Result<Vec<String>> {
    let mut names = Vec::new();
    file.find_link(IndexType::Name, IterationOrder::Native, |name, link| {
        if link.link_type == LinkType::Hard {
            names.push(name.to_owned());
        }
        Ok((names.len() >= MAX_NAMES).then_some(()))
    })?;
    Ok(names)
}

/// An HDF5 data set whose storage and type have been found harmless.
struct Array<'a> {
    dataset: Dataset,
    name: &'a str,
    source: &'a Path,
    shape: Vec<u64>,
    stored: Stored,
}

impl<'a> Array<'a> {
    fn open(file: &File, name: &'a str, source: &'a Path) -> Result<Self, DatasetError> {
        let fault = |error: hdf5::Error| damaged(source, format!("{name}: {error}"));
        let dataset = file.dataset(name).map_err(fault)?;
        let storage = dataset.dcpl().map_err(fault)?;
        let in_file = storage.get_external().map_err(fault)?.is_empty()
            && storage.get_layout().map_err(fault)? != Storage::Virtual;
        if !in_file {
            return Err(DatasetError::Unsupported {
                what: format!("the array {name:?}, whose numbers lie in other files,"),
                hint: "copy them into this one",
            });
        }
        let stored = stored(&dataset).ok_or_else(|| DatasetError::Unsupported {
            what: format!("the element type of the array {name:?}"),
            hint: "save whole numbers, or floats of 32 or 64 bit",
        })?;
        let shape = dataset.shape().into_iter().map(|side| side as u64).collect();
        Ok(Self { dataset, name, source, shape, stored })
    }

    /// Images that lie in one compressed piece.
    fn rows_together(&self) -> usize {
        self.dataset.chunk().and_then(|sides| sides.first().copied()).unwrap_or(0)
    }

    /// The numbers of a range of rows, converted to `T`.
    fn rows<T: H5Type>(&self, rows: Range<usize>) -> Result<Vec<T>, DatasetError> {
        let mut slab = vec![SliceOrIndex::from(rows)];
        slab.extend(self.shape.iter().skip(1).map(|side| SliceOrIndex::from(0..*side as usize)));
        let read = self.dataset.read_slice::<T, _, IxDyn>(Selection::from(Hyperslab::from(slab)));
        let array = read.map_err(|error| damaged(self.source, format!("{}: {error}", self.name)))?;
        Ok(array.into_raw_vec_and_offset().0)
    }
}

fn stored(dataset: &Dataset) -> Option<Stored> {
    match dataset.dtype().and_then(|dtype| dtype.to_descriptor()).ok()? {
        TypeDescriptor::Unsigned(IntSize::U1) => Some(Stored::Bytes),
        TypeDescriptor::Unsigned(size) | TypeDescriptor::Integer(size) => {
            Some(Stored::Whole { bytes: size as usize })
        }
        TypeDescriptor::Float(size @ (FloatSize::U4 | FloatSize::U8)) => {
            Some(Stored::Floats { bytes: size as usize })
        }
        _ => None,
    }
}
