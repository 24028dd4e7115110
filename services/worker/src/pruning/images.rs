//! Where images come from.

use std::ops::Range;

use gifthorse_dataset::{DatasetView, Preprocessing};

use super::error::SweepError;

/// Images as a network takes them, read range by range: any count of them, none kept.
pub trait ImageSource {
    /// How many.
    fn count(&self) -> usize;

    /// The images of a range, row-major, one after another, prepared and laid out as the network has them.
    fn read(&self, rows: Range<usize>) -> Result<Vec<f32>, SweepError>;
}

/// Images of a stored data set, all of them or some rows.
#[derive(Debug, Clone)]
pub struct StoredImages<'a> {
    view: &'a DatasetView,
    preprocessing: &'a Preprocessing,
    rows: Option<Vec<usize>>,
}

impl<'a> StoredImages<'a> {
    /// All images.
    pub const fn all(view: &'a DatasetView, preprocessing: &'a Preprocessing) -> Self {
        Self { view, preprocessing, rows: None }
    }

    /// The images of these rows, in this order.
    ///
    /// # Errors
    /// [`SweepError::Row`] for a row the data set has not.
    pub fn rows(
        view: &'a DatasetView,
        preprocessing: &'a Preprocessing,
        rows: Vec<usize>,
    ) -> Result<Self, SweepError> {
        let count = view.labels().len();
        match rows.iter().copied().find(|row| *row >= count) {
            Some(row) => Err(SweepError::Row { row, count }),
            None => Ok(Self { view, preprocessing, rows: Some(rows) }),
        }
    }

    fn run(&self, rows: Range<u64>, into: &mut Vec<f32>) -> Result<(), SweepError> {
        let prepared = self.view.read(rows)?.prepare(self.preprocessing)?;
        into.extend_from_slice(prepared.values());
        Ok(())
    }
}

impl ImageSource for StoredImages<'_> {
    fn count(&self) -> usize {
        self.rows.as_ref().map_or(self.view.labels().len(), Vec::len)
    }

    fn read(&self, rows: Range<usize>) -> Result<Vec<f32>, SweepError> {
        let pixels: usize = self.preprocessing.shape(1).iter().product();
        let mut values = Vec::with_capacity(rows.len() * pixels);
        let Some(chosen) = &self.rows else {
            self.run(rows.start as u64..rows.end as u64, &mut values)?;
            return Ok(values);
        };
        // Neighbours are read at once.
        let mut left = &chosen[rows];
        while let Some(first) = left.first().copied() {
            let length = left.iter().enumerate().take_while(|(place, row)| **row == first + place).count();
            self.run(first as u64..(first + length) as u64, &mut values)?;
            left = &left[length..];
        }
        Ok(values)
    }
}
