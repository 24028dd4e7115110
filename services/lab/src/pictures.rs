//! Labelled pictures in memory.

use gifthorse_dataset::ImageSize;

use crate::error::LabError;

/// N pictures of one size, with their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    size: ImageSize,
    /// `[N, H, W, C]`, levels 0..255.
    levels: Vec<u8>,
    /// True classes, `[N]`.
    labels: Vec<i64>,
}

impl Pictures {
    /// Pictures `[N, H, W, C]` and N classes.
    pub fn new(size: ImageSize, levels: Vec<u8>, labels: Vec<i64>) -> Result<Self, LabError> {
        let samples = size.samples().unwrap_or(0) as usize;
        if samples == 0 || levels.len() != samples * labels.len() || labels.is_empty() {
            let fault = format!("{} levels are no {} pictures of {size:?}", levels.len(), labels.len());
            return Err(LabError::Data { fault });
        }
        if let Some(negative) = labels.iter().find(|label| **label < 0) {
            return Err(LabError::Data { fault: format!("the label {negative} is no class") });
        }
        Ok(Self { size, levels, labels })
    }

    /// Rows, columns and channels of each.
    pub const fn size(&self) -> ImageSize {
        self.size
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// The true class of each.
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// All levels, `[N, H, W, C]`.
    pub fn levels(&self) -> &[u8] {
        &self.levels
    }

    /// Classes from zero to the largest label.
    pub fn classes(&self) -> u64 {
        self.labels.iter().max().map_or(0, |largest| *largest as u64 + 1)
    }

    /// Levels of one picture, `[H, W, C]`.
    pub fn picture(&self, row: usize) -> &[u8] {
        let samples = self.samples();
        &self.levels[row * samples..(row + 1) * samples]
    }

    /// The same, to be changed.
    pub fn picture_mut(&mut self, row: usize) -> &mut [u8] {
        let samples = self.samples();
        &mut self.levels[row * samples..(row + 1) * samples]
    }

    /// The pictures of these rows, in this order.
    #[must_use]
    pub fn rows(&self, rows: &[usize]) -> Self {
        let levels = rows.iter().flat_map(|row| self.picture(*row)).copied().collect();
        let labels = rows.iter().map(|row| self.labels[*row]).collect();
        Self { size: self.size, levels, labels }
    }

    fn samples(&self) -> usize {
        self.levels.len() / self.labels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: ImageSize = ImageSize { height: 1, width: 2, channels: 1 };

    #[test]
    fn rows_are_taken_in_the_order_asked_for() {
        let pictures = Pictures::new(SIZE, vec![0, 1, 2, 3, 4, 5], vec![7, 8, 9]).unwrap();
        let some = pictures.rows(&[2, 0]);
        assert_eq!((some.levels(), some.labels()), ([4, 5, 0, 1].as_slice(), [9, 7].as_slice()));
        assert_eq!((pictures.classes(), pictures.picture(1)), (10, [2, 3].as_slice()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Pictures::new(SIZE, vec![0; 5], vec![0, 1]).is_err());
        assert!(Pictures::new(SIZE, Vec::new(), Vec::new()).is_err());
        assert!(Pictures::new(SIZE, vec![0; 2], vec![-1]).is_err());
    }
}
