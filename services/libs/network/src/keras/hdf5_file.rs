//! Groups and tensors of an HDF5 file, with every size checked before it is believed.
//!
//! Links that lead out of the file, or anywhere but straight down, are refused: Keras writes none.

use std::collections::HashSet;
use std::path::Path;

use hdf5::plist::dataset_create::Layout;
use hdf5::types::TypeDescriptor;
use hdf5::{Dataset, File, Group, LinkType};

use super::fault::{damaged, shortened};
use crate::NetworkError;

/// The most members of one group.
const MOST_MEMBERS: u64 = 100_000;
/// The most elements of one tensor, and of one compressed chunk of it.
pub(super) const MOST_ELEMENTS: usize = 250_000_000;

/// Turns an error of libhdf5 into ours.
pub(super) fn hdf5_fault(what: &str) -> impl Fn(hdf5::Error) -> NetworkError + '_ {
    move |error| damaged(format!("{what}: {error}"))
}

/// Opens a file for reading.
pub(super) fn open(path: &Path) -> Result<File, NetworkError> {
    hdf5::silence_errors(true);
    let file = std::fs::File::open(path).and_then(|file| file.metadata());
    let shown = || path.display().to_string();
    let metadata = file.map_err(|source| NetworkError::File { action: "read", path: shown(), source })?;
    if !metadata.is_file() {
        return Err(damaged("not a regular file"));
    }
    File::open(path).map_err(hdf5_fault("not a readable HDF5 file"))
}

/// A group whose links were looked at.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// The group.
    pub(super) group: Group,
    members: HashSet<String>,
}

impl Folder {
    /// Lists the group `name`; any link that is not a plain one is refused.
    pub(super) fn list(group: Group) -> Result<Self, NetworkError> {
        let name = group.name();
        let shown = shortened(&name);
        if group.len() > MOST_MEMBERS {
            return Err(NetworkError::TooLarge {
                what: format!("the count of members of group {shown:?}"),
                found: group.len(),
                limit: MOST_MEMBERS,
            });
        }
        let mut members = HashSet::new();
        let mut odd = None;
        group
            .iter_visit_default(|member, link| {
                if link.link_type == LinkType::Hard {
                    members.insert(member.to_owned());
                } else {
                    odd = Some(member.to_owned());
                }
                Ok(())
            })
            .map_err(hdf5_fault("a group cannot be listed"))?;
        match odd {
            Some(member) => Err(NetworkError::Refused {
                what: format!("the link {:?} in group {shown:?}", shortened(&member)),
                reason: "it may lead out of the file; save the network again with Keras".to_owned(),
            }),
            None => Ok(Self { group, members }),
        }
    }

    /// Whether there is a member of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains(name)
    }

    /// The group at `path`, a `/`-separated list of names.
    pub(super) fn folder(&self, path: &str) -> Result<Self, NetworkError> {
        let mut folder = self.clone();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            if !folder.has(name) {
                return Err(damaged(format!("there is no group {:?}", shortened(path))));
            }
            let fault = format!("group {:?} cannot be opened", shortened(path));
            let group = folder.group.group(name).map_err(hdf5_fault(&fault))?;
            folder = Self::list(group)?;
        }
        Ok(folder)
    }

    /// The tensor at `path`, a `/`-separated list of names.
    pub(super) fn tensor(&self, path: &str) -> Result<Tensor, NetworkError> {
        let shown = shortened(path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.folder(folder)?;
        if !folder.has(name) {
            return Err(damaged(format!("there is no tensor {shown:?}")));
        }
        let fault = format!("tensor {shown:?} cannot be opened");
        let dataset = folder.group.dataset(name).map_err(hdf5_fault(&fault))?;
        Tensor::check(path.to_owned(), dataset)
    }
}

/// A tensor of the file that may be read.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    /// Where it is, for messages.
    pub(super) path: String,
    /// Its shape.
    pub(super) shape: Vec<usize>,
    dataset: Dataset,
}

impl Tensor {
    fn check(path: String, dataset: Dataset) -> Result<Self, NetworkError> {
        let shown = shortened(&path);
        let fault = format!("tensor {shown:?} cannot be read");
        let space = dataset.space().map_err(hdf5_fault(&fault))?;
        let shape = space.shape();
        let kind = dataset.dtype().and_then(|kind| kind.to_descriptor()).map_err(hdf5_fault(&fault))?;
        if !matches!(kind, TypeDescriptor::Float(_)) {
            return Err(damaged(format!("tensor {shown:?} holds {kind}, not floating point numbers")));
        }
        let plist = dataset.create_plist().map_err(hdf5_fault(&fault))?;
        let outside = match plist.get_layout().map_err(hdf5_fault(&fault))? {
            Layout::Virtual => true,
            _ => !plist.get_external().map_err(hdf5_fault(&fault))?.is_empty(),
        };
        if outside {
            return Err(NetworkError::Refused {
                what: format!("tensor {shown:?}"),
                reason: "its values are in another file; save the network again with Keras".to_owned(),
            });
        }
        for (what, shape) in [("tensor", Some(shape.clone())), ("a chunk of tensor", dataset.chunk())] {
            let Some(shape) = shape else { continue };
            let elements = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
            if elements.is_none_or(|elements| elements > MOST_ELEMENTS) {
                return Err(NetworkError::TooLarge {
                    what: format!("the count of elements of {what} {shown:?}"),
                    found: elements.map_or(u64::MAX, |elements| elements as u64),
                    limit: MOST_ELEMENTS as u64,
                });
            }
        }
        Ok(Self { path, shape, dataset })
    }

    /// Reads the values, row major, checked to be finite.
    pub(super) fn read(&self) -> Result<Vec<f32>, NetworkError> {
        let fault = format!("tensor {:?} cannot be read", shortened(&self.path));
        let values: Vec<f32> = self.dataset.read_raw().map_err(hdf5_fault(&fault))?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(NetworkError::NotFinite {
                tensor: self.path.clone(),
                index,
                value: values[index].to_string(),
            }),
            None => Ok(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    fn written(write: impl FnOnce(&File)) -> (tempfile::TempDir, Folder) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.h5");
        write(&File::create(&path).unwrap());
        let listed = Folder::list(open(&path).unwrap().as_group().unwrap()).unwrap();
        (folder, listed)
    }

    #[test]
    fn compressed_and_double_tensors_are_read() {
        let values = arr2(&[[1.0_f32, 2.0], [3.0, 4.0]]);
        let (_kept, root) = written(|file| {
            let packed = file.new_dataset_builder().deflate(6).with_data(&values);
            packed.create("a/b/packed").unwrap();
            file.new_dataset_builder().with_data(&values.mapv(f64::from)).create("double").unwrap();
        });
        let packed = root.tensor("a/b/packed").unwrap();
        assert_eq!(packed.shape, [2, 2]);
        assert_eq!(packed.read().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(root.tensor("double").unwrap().read().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert!(root.tensor("a/x").is_err());
    }

    #[test]
    fn values_that_are_not_finite_are_named() {
        let (_kept, root) = written(|file| {
            let values = ndarray::arr1(&[0.0_f32, f32::NAN, f32::INFINITY]);
            file.new_dataset_builder().with_data(&values).create("w").unwrap();
        });
        let error = root.tensor("w").unwrap().read().unwrap_err().to_string();
        assert!(error.contains("\"w\" holds NaN at element 1"), "{error}");
    }

    #[test]
    fn integers_links_and_giants_are_not_taken() {
        let (_kept, root) = written(|file| {
            file.new_dataset_builder().with_data(&[1_i32, 2]).create("integers").unwrap();
            let giant = file.new_dataset::<f32>().chunk((1, 1024)).shape((1 << 20, 1 << 20));
            giant.create("giant").unwrap();
            file.create_group("inside").unwrap().link_external("other.h5", "/", "away").unwrap();
            file.create_group("soft").unwrap().link_soft("/integers", "link").unwrap();
        });
        assert!(matches!(root.tensor("integers"), Err(NetworkError::Damaged { .. })));
        assert!(matches!(root.tensor("giant"), Err(NetworkError::TooLarge { .. })));
        assert!(matches!(root.tensor("inside/away/x"), Err(NetworkError::Refused { .. })));
        assert!(matches!(root.tensor("soft/link"), Err(NetworkError::Refused { .. })));
    }

    #[test]
    fn other_files_are_named_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.h5");
        std::fs::write(&path, b"not HDF5 at all").unwrap();
        assert!(matches!(open(&path), Err(NetworkError::Damaged { .. })));
        assert!(matches!(open(&folder.path().join("absent")), Err(NetworkError::File { .. })));
        assert!(matches!(open(folder.path()), Err(NetworkError::Damaged { .. })));
    }
}
