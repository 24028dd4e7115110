//! A stored data set, read range by range.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::canonical::{Dtype, GROUPS, IMAGES, ImageSize, LABELS};
use crate::error::DatasetError;
use crate::npy::{Element, NpyHeader};
use crate::prepare::{ImageTensor, PixelArray, PixelValues, PrepareError, prepare_pixels};
use crate::preprocessing::{Layout, Preprocessing};

/// Images of a range of rows, `[n, H, W, C]` levels 0..255.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRows {
    shape: [u64; 4],
    levels: Levels,
}

#[derive(Debug, Clone, PartialEq)]
enum Levels {
    U8(Vec<u8>),
    F32(Vec<f32>),
}

impl ImageRows {
    /// `[n, H, W, C]`.
    pub const fn shape(&self) -> [u64; 4] {
        self.shape
    }

    /// The levels, row-major.
    pub fn values(&self) -> PixelValues<'_> {
        match &self.levels {
            Levels::U8(levels) => PixelValues::U8(levels),
            Levels::F32(levels) => PixelValues::F32(levels),
        }
    }

    /// The rows as a network takes them.
    pub fn prepare(&self, record: &Preprocessing) -> Result<ImageTensor, PrepareError> {
        prepare_pixels(&PixelArray::new(&self.shape, Layout::Nhwc, self.values())?, record)
    }
}

/// An open data set in its canonical form. Labels and groups are in memory, images are read when asked for;
/// several threads may ask at once.
#[derive(Debug)]
pub struct DatasetView {
    path: PathBuf,
    images: File,
    header_bytes: u64,
    count: u64,
    size: ImageSize,
    dtype: Dtype,
    labels: Vec<i64>,
    groups: Option<Vec<i64>>,
}

impl DatasetView {
    /// Opens the data set in `folder` and checks that its files agree and have the lengths they say.
    pub fn open(folder: &Path) -> Result<Self, DatasetError> {
        let path = folder.join(IMAGES);
        let (images, header, header_bytes) = open_array(&path)?;
        let dtype = match header.element {
            Element::U8 => Dtype::Uint8,
            Element::F32 => Dtype::Float32,
            other => return Err(stored(&path, &format!("has elements of type {other}"))),
        };
        let (count, size) = match *header.shape {
            [count, height, width, channels @ (1 | 3 | 4)] if count > 0 && height > 0 && width > 0 => {
                (count, ImageSize { height, width, channels })
            }
            _ => return Err(stored(&path, &format!("has shape {:?}", header.shape))),
        };
        let labels = read_numbers(&folder.join(LABELS), count)?;
        let groups = folder.join(GROUPS);
        let groups = if groups.exists() { Some(read_numbers(&groups, count)?) } else { None };
        Ok(Self { path, images, header_bytes, count, size, dtype, labels, groups })
    }

    /// Images, N.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The images' sides.
    pub const fn size(&self) -> ImageSize {
        self.size
    }

    /// The type of their levels.
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The labels, `[N]`.
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The groups, `[N]`, where there are any.
    pub fn groups(&self) -> Option<&[i64]> {
        self.groups.as_deref()
    }

    /// Reads the images of a range of rows.
    pub fn read(&self, rows: Range<u64>) -> Result<ImageRows, DatasetError> {
        if rows.start >= rows.end || rows.end > self.count {
            return Err(DatasetError::Rows { start: rows.start, end: rows.end, count: self.count });
        }
        let count = rows.end - rows.start;
        let image = self.size.samples().unwrap_or(0) * self.dtype.bytes() as u64;
        let mut bytes = vec![0; (count * image) as usize];
        self.images
            .read_exact_at(&mut bytes, self.header_bytes + rows.start * image)
            .map_err(DatasetError::file("read", &self.path))?;
        let levels = match self.dtype {
            Dtype::Uint8 => Levels::U8(bytes),
            Dtype::Float32 => Levels::F32(floats(&bytes)),
        };
        let ImageSize { height, width, channels } = self.size;
        Ok(ImageRows { shape: [count, height, width, channels], levels })
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}

fn stored(path: &Path, fault: &str) -> DatasetError {
    DatasetError::Stored { fault: format!("{} {fault}", path.display()) }
}

/// Opens an array file and checks its length against its header.
fn open_array(path: &Path) -> Result<(File, NpyHeader, u64), DatasetError> {
    let mut file = File::open(path).map_err(DatasetError::file("open", path))?;
    let (header, header_bytes) =
        NpyHeader::read(&mut file).map_err(|error| stored(path, &format!("is damaged: {error}")))?;
    let found = file.metadata().map_err(DatasetError::file("read", path))?.len();
    let content = header.elements().and_then(|elements| elements.checked_mul(header.element.bytes() as u64));
    let expected = content.and_then(|content| content.checked_add(header_bytes));
    if header.fortran_order || expected != Some(found) {
        return Err(stored(path, &format!("has {found} bytes, but shape {:?}", header.shape)));
    }
    Ok((file, header, header_bytes))
}

fn read_numbers(path: &Path, count: u64) -> Result<Vec<i64>, DatasetError> {
    let (file, header, header_bytes) = open_array(path)?;
    if header.element != Element::I64 || header.shape != [count] {
        return Err(stored(
            path,
            &format!("has {} {:?}, expected <i8 [{count}]", header.element, header.shape),
        ));
    }
    let mut bytes = vec![0; count as usize * Element::I64.bytes()];
    file.read_exact_at(&mut bytes, header_bytes).map_err(DatasetError::file("read", path))?;
    let (chunks, _) = bytes.as_chunks();
    Ok(chunks.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect())
}
