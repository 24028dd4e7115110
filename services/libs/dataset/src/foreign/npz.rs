//! Data sets in `NumPy`'s zipped arrays.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

use super::axes::ImageAxes;
use super::blocks::{BlockWriter, images_in_block};
use super::numbers::Column;
use super::{ReadOptions, damaged, keys};
use crate::canonical::{Dtype, Summary};
use crate::error::DatasetError;
use crate::npy::{Element, ElementKind, NpyHeader, Number};

const SUFFIX: &str = ".npy";

type Archive = ZipArchive<BufReader<File>>;

/// Reads images, labels and groups from the archive.
pub(super) fn read(source: &Path, options: &ReadOptions, target: &Path) -> Result<Summary, DatasetError> {
    let file = File::open(source).map_err(DatasetError::file("open", source))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(source, error))?;
    let present: Vec<String> =
        archive.file_names().filter_map(|name| name.ok()?.strip_suffix(SUFFIX).map(str::to_owned)).collect();
    let arrays = &options.arrays;
    let images = keys::IMAGES.require(arrays.images_key.as_deref(), &present)?;
    let labels = keys::LABELS.require(arrays.labels_key.as_deref(), &present)?;
    let groups = keys::GROUPS.find(arrays.groups_key.as_deref(), &present)?;

    // The images' shape comes first: it says how many labels there may be, and what is too large.
    let (axes, dtype) = {
        let array = Array::open(&mut archive, &images, source)?;
        let axes = ImageAxes::of(&array.header.shape, arrays.layout)?;
        axes.check(array.dtype(), &options.limits)?;
        (axes, array.dtype())
    };
    let labels = column(Column::Label, Array::open(&mut archive, &labels, source)?, axes.count)?;
    let groups = groups
        .map(|name| column(Column::Group, Array::open(&mut archive, &name, source)?, axes.count))
        .transpose()?;
    let mut writer = BlockWriter::create(target, axes, dtype, options)?;
    let mut array = Array::open(&mut archive, &images, source)?;
    array.refuse_fortran_order()?;
    let block = images_in_block(axes.samples(), array.header.element.bytes(), 0) as u64;
    let mut left = axes.count;
    while left > 0 {
        let images = left.min(block);
        let bytes = array.take(images * axes.samples() as u64)?;
        push(&mut writer, array.header.element, &bytes)?;
        left -= images;
    }
    array.end()?;
    writer.finish(&labels, groups.as_deref())
}

fn push(writer: &mut BlockWriter, element: Element, bytes: &[u8]) -> Result<(), DatasetError> {
    if element == Element::U8 {
        return writer.push_u8(bytes);
    }
    let numbers = element.decode(bytes);
    match element.kind() {
        ElementKind::Unsigned | ElementKind::Signed => {
            writer.push_whole(numbers.filter_map(|number| match number {
                Number::Whole(whole) => Some(whole),
                Number::Float(_) => None,
            }))
        }
        ElementKind::Float => writer.push_floats(numbers.filter_map(|number| match number {
            Number::Float(float) => Some(float),
            Number::Whole(_) => None,
        })),
    }
}

fn column(column: Column, mut array: Array<'_>, count: u64) -> Result<Vec<i64>, DatasetError> {
    column.check_shape(&array.header.shape, count)?;
    let bytes = array.take(count)?;
    let numbers = column.whole(array.header.element.decode(&bytes))?;
    array.end()?;
    Ok(numbers)
}

/// One array of the archive, its header read.
struct Array<'a> {
    entry: ZipFile<'a, BufReader<File>>,
    header: NpyHeader,
    name: String,
    source: &'a Path,
}

impl<'a> Array<'a> {
    fn open(archive: &'a mut Archive, name: &str, source: &'a Path) -> Result<Self, DatasetError> {
        let mut entry = archive
            .by_name(&format!("{name}{SUFFIX}"))
            .map_err(|error| damaged(source, format!("{name}: {error}")))?;
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(DatasetError::Unsupported {
                what: format!("the compression of the array {name:?}"),
                hint: "save it with numpy.savez or numpy.savez_compressed",
            });
        }
        let (header, _) =
            NpyHeader::read(&mut entry).map_err(|error| damaged(source, format!("{name}: {error}")))?;
        Ok(Self { entry, header, name: name.to_owned(), source })
    }

    fn dtype(&self) -> Dtype {
        match self.header.element.kind() {
            ElementKind::Unsigned | ElementKind::Signed => Dtype::Uint8,
            ElementKind::Float => Dtype::Float32,
        }
    }

    fn refuse_fortran_order(&self) -> Result<(), DatasetError> {
        if self.header.fortran_order {
            return Err(DatasetError::Unsupported {
                what: format!("the Fortran order of the array {:?}", self.name),
                hint: "save it after numpy.ascontiguousarray",
            });
        }
        Ok(())
    }

    /// The bytes of the next `elements`; only as much memory is taken as the file really fills.
    fn take(&mut self, elements: u64) -> Result<Vec<u8>, DatasetError> {
        let wanted = elements.saturating_mul(self.header.element.bytes() as u64);
        let mut bytes = Vec::new();
        let found = self.entry.by_ref().take(wanted).read_to_end(&mut bytes);
        match found {
            Ok(found) if found as u64 == wanted => Ok(bytes),
            Ok(_) => Err(damaged(self.source, format!("{}: it ends before its last element", self.name))),
            Err(error) => Err(damaged(self.source, format!("{}: {error}", self.name))),
        }
    }

    /// Checks that nothing follows the last element, and with that the archive's checksum.
    fn end(&mut self) -> Result<(), DatasetError> {
        match self.entry.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(damaged(self.source, format!("{}: it goes on after its last element", self.name))),
            Err(error) => Err(damaged(self.source, format!("{}: {error}", self.name))),
        }
    }
}
