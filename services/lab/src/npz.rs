//! Writing data sets as `.npz`: `data` `[N, H, W, C]` of `uint8` and `label` `[N]` of `int64`, as every command of
//! gifthorse and `NumPy` read them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use gifthorse_dataset::npy::{Element, NpyHeader};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::error::LabError;
use crate::pictures::Pictures;

/// Writes pictures with their true classes. The bytes are a function of the pictures alone.
pub fn write(path: &Path, pictures: &Pictures) -> Result<(), LabError> {
    let file = File::create(path).map_err(LabError::file("create", path))?;
    let mut archive = ZipWriter::new(BufWriter::new(file));
    let size = pictures.size();
    let count = pictures.count() as u64;
    let labels: Vec<u8> = pictures.labels().iter().flat_map(|label| label.to_le_bytes()).collect();
    let written = array(
        &mut archive,
        "data",
        "|u1",
        vec![count, size.height, size.width, size.channels],
        pictures.levels(),
    )
    .and_then(|()| array(&mut archive, "label", "<i8", vec![count], &labels))
    .and_then(|()| archive.finish().map_err(std::io::Error::from))
    .and_then(|file| file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all());
    written.map_err(LabError::file("write", path))
}

fn array(
    archive: &mut ZipWriter<BufWriter<File>>,
    name: &str,
    element: &str,
    shape: Vec<u64>,
    bytes: &[u8],
) -> std::io::Result<()> {
    let invalid = |fault: &str| std::io::Error::other(format!("the array {name}: {fault}"));
    let element = Element::parse(element).map_err(|error| invalid(&error.to_string()))?;
    let header = NpyHeader { element, shape, fortran_order: false };
    let header = header.written().ok_or_else(|| invalid("it has too many sides"))?;
    // Without the time of day the same pictures make the same file.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .last_modified_time(DateTime::default())
        .large_file(bytes.len() as u64 >= u64::from(u32::MAX));
    archive.start_file(format!("{name}.npy"), options)?;
    archive.write_all(&header)?;
    archive.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use gifthorse_dataset::foreign::{ForeignKind, ReadOptions, ReadRequest, read};
    use gifthorse_dataset::{DatasetView, ImageSize};

    use super::*;

    #[test]
    fn what_is_written_is_read_as_a_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let size = ImageSize { height: 2, width: 3, channels: 3 };
        let levels: Vec<u8> = (0..36).collect();
        let pictures = Pictures::new(size, levels.clone(), vec![4, 1]).unwrap();
        let (path, target) = (folder.path().join("x.npz"), folder.path().join("canonical"));
        write(&path, &pictures).unwrap();
        std::fs::create_dir(&target).unwrap();
        let request = ReadRequest {
            source: path.clone(),
            kind: ForeignKind::Npz,
            options: ReadOptions::default(),
            target: target.clone(),
        };
        read(&request).unwrap();
        let view = DatasetView::open(&target).unwrap();
        assert_eq!((view.labels(), view.size()), ([4, 1].as_slice(), size));
        assert_eq!(view.read(0..2).unwrap().values(), gifthorse_dataset::PixelValues::U8(&levels));
        let bytes = std::fs::read(&path).unwrap();
        write(&path, &pictures).unwrap();
        assert_eq!(bytes, std::fs::read(&path).unwrap());
    }
}
