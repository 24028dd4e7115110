//! Activations on disk.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::carried::Carried;
use super::error::SweepError;

/// Where a batch lies in the file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    offset: u64,
    rows: usize,
    /// Numbers of each tensor.
    lengths: Vec<usize>,
}

/// A file without a name: it is gone with this value, and with the process however that ends.
#[derive(Debug)]
pub(super) struct Spill {
    file: File,
    folder: PathBuf,
    end: u64,
}

impl Spill {
    pub(super) fn create(folder: &Path) -> Result<Self, SweepError> {
        match tempfile::tempfile_in(folder) {
            Ok(file) => Ok(Self { file, folder: folder.to_owned(), end: 0 }),
            Err(source) => Err(SweepError::Spill { action: "make", folder: folder.to_owned(), source }),
        }
    }

    /// Bytes written.
    pub(super) const fn bytes(&self) -> u64 {
        self.end
    }

    pub(super) fn write(&mut self, carried: &Carried) -> Result<Place, SweepError> {
        let lengths = carried.tensors().iter().map(Vec::len).collect();
        let place = Place { offset: self.end, rows: carried.rows(), lengths };
        let mut end = self.end;
        for tensor in carried.tensors() {
            let bytes: &[u8] = bytemuck::cast_slice(tensor);
            self.file.write_all_at(bytes, end).map_err(|source| match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    SweepError::DiskFull { folder: self.folder.clone(), written: self.end }
                }
                _ => SweepError::Spill { action: "write", folder: self.folder.clone(), source },
            })?;
            end += bytes.len() as u64;
        }
        self.end = end;
        Ok(place)
    }

    pub(super) fn read(&self, place: &Place) -> Result<Carried, SweepError> {
        let mut offset = place.offset;
        let mut tensors = Vec::with_capacity(place.lengths.len());
        for length in &place.lengths {
            let mut tensor = vec![0.0_f32; *length];
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut tensor);
            self.file.read_exact_at(bytes, offset).map_err(|source| SweepError::Spill {
                action: "read",
                folder: self.folder.clone(),
                source,
            })?;
            offset += bytes.len() as u64;
            tensors.push(tensor);
        }
        Ok(Carried::new(place.rows, tensors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::create(folder.path()).unwrap();
        let one = Carried::new(2, vec![vec![1.0, -2.5, 3.0, 4.0], vec![0.5, 0.25]]);
        let two = Carried::new(1, vec![vec![9.0, 8.0], vec![7.0]]);
        let places = [spill.write(&one).unwrap(), spill.write(&two).unwrap()];
        assert_eq!(spill.bytes(), 36);
        assert_eq!(spill.read(&places[1]).unwrap(), two);
        assert_eq!(spill.read(&places[0]).unwrap(), one);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn a_full_disk_is_said_as_such() {
        let file = File::options().write(true).open("/dev/full").unwrap();
        let mut spill = Spill { file, folder: PathBuf::from("/scratch"), end: 0 };
        let refused = spill.write(&Carried::new(1, vec![vec![1.0; 8]])).unwrap_err();
        assert!(matches!(refused, SweepError::DiskFull { written: 0, .. }), "{refused:?}");
        assert!(refused.to_string().starts_with("no room in /scratch"), "{refused}");
        let missing = Spill::create(Path::new("/no/such/folder")).unwrap_err();
        assert!(missing.to_string().contains("/no/such/folder"), "{missing}");
    }
}
