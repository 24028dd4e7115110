//! How many of a network's classes the clean images show.

use std::collections::BTreeMap;
use std::fmt;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};

/// Why labels say nothing about a network's classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CoverageError {
    /// A label is no class of the network.
    #[error(
        "image {row} has the label {label}, which is no class of this network (0..{classes}): label images \
         with the classes of the network"
    )]
    Label {
        /// The first such image.
        row: usize,
        /// Its label.
        label: i64,
        /// Classes of the network, M.
        classes: usize,
    },
    /// All images are of one class.
    #[error(
        "all {images} clean images are of class {class}: a network that answers nothing else would be perfect \
         on them, give images of several classes"
    )]
    OneClass {
        /// Images.
        images: usize,
        /// Their class.
        class: usize,
    },
    /// There are no images.
    #[error("there are no clean images: give some of several classes")]
    NoImages,
}

impl Coded for CoverageError {
    fn code(&self) -> ErrorCode {
        ErrorCode::DatasetInvalid
    }
}

/// Which classes of a network a clean set shows.
///
/// Training on images that miss classes makes a network forget these, and a random split of the same images
/// hides it: below full coverage the output layer is kept or distilled, and methods that make a new one are
/// refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCoverage {
    /// Classes with at least one image.
    pub covered: usize,
    /// Classes of the network, M.
    pub classes: usize,
    /// Images.
    pub images: usize,
    /// Images of the covered class that has fewest.
    pub fewest: usize,
    /// Images of the class that has most.
    pub most: usize,
}

impl ClassCoverage {
    /// Counts labels of a network with `classes` classes.
    pub fn of(labels: &[i64], classes: usize) -> Result<Self, CoverageError> {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for (row, label) in labels.iter().enumerate() {
            let class = usize::try_from(*label).ok().filter(|class| *class < classes);
            let class = class.ok_or(CoverageError::Label { row, label: *label, classes })?;
            *counts.entry(class).or_default() += 1;
        }
        let images = labels.len();
        let first = counts.first_key_value().map(|(class, _)| *class).ok_or(CoverageError::NoImages)?;
        if counts.len() == 1 {
            return Err(CoverageError::OneClass { images, class: first });
        }
        Ok(Self {
            covered: counts.len(),
            classes,
            images,
            fewest: counts.values().copied().min().unwrap_or_default(),
            most: counts.values().copied().max().unwrap_or_default(),
        })
    }

    /// Whether every class has an image.
    pub const fn is_full(&self) -> bool {
        self.covered == self.classes
    }

    /// Covered classes as a part of all, 0..1.
    pub fn share(&self) -> f64 {
        self.covered as f64 / self.classes as f64
    }
}

impl fmt::Display for ClassCoverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { covered, classes, images, fewest, most } = self;
        write!(formatter, "{images} images of {covered} of the {classes} classes, {fewest} to {most} of each")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_counted() {
        let coverage = ClassCoverage::of(&[3, 3, 0, 3], 5).unwrap();
        assert_eq!(coverage.to_string(), "4 images of 2 of the 5 classes, 1 to 3 of each");
        assert!(!coverage.is_full());
        assert!((coverage.share() - 0.4).abs() < 1e-15);
        assert!(ClassCoverage::of(&[0, 1, 1], 2).unwrap().is_full());
    }

    #[test]
    fn labels_that_say_nothing_are_refused() {
        let of = |labels: &[i64]| ClassCoverage::of(labels, 5).unwrap_err();
        assert_eq!(of(&[0, 5]), CoverageError::Label { row: 1, label: 5, classes: 5 });
        assert_eq!(of(&[-1]), CoverageError::Label { row: 0, label: -1, classes: 5 });
        assert_eq!(of(&[4, 4, 4]), CoverageError::OneClass { images: 3, class: 4 });
        assert_eq!(of(&[]), CoverageError::NoImages);
        assert!(of(&[4, 4]).to_string().contains("class 4"));
    }
}
