//! What crosses a cut for some images.

/// The tensors that cross a cut, for a batch of images: the activation first, then what goes around it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Carried {
    rows: usize,
    /// One a tensor, row-major, images one after another.
    tensors: Vec<Vec<f32>>,
}

impl Carried {
    /// Of so many images; each tensor has as many rows.
    pub(super) const fn new(rows: usize, tensors: Vec<Vec<f32>>) -> Self {
        Self { rows, tensors }
    }

    /// Count of images.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The tensors, the activation first.
    pub fn tensors(&self) -> &[Vec<f32>] {
        &self.tensors
    }

    /// The activation, `[N, C, H, W]`.
    pub fn activation(&self) -> &[f32] {
        self.tensors.first().map_or(&[], Vec::as_slice)
    }

    pub(super) fn into_tensors(self) -> Vec<Vec<f32>> {
        self.tensors
    }

    /// Bytes of all tensors.
    pub(super) fn bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| size_of_val(tensor.as_slice()) as u64).sum()
    }

    /// Zeroes a channel of `area` places among `channels`; answers the images of which it was not zero.
    pub(super) fn prune(&mut self, channel: usize, channels: usize, area: usize) -> Vec<usize> {
        let Some(activation) = self.tensors.first_mut() else { return Vec::new() };
        let mut fired = Vec::new();
        for (row, image) in activation.chunks_exact_mut(channels * area).enumerate() {
            let plane = &mut image[channel * area..][..area];
            if plane.iter().any(|value| *value != 0.0) {
                plane.fill(0.0);
                fired.push(row);
            }
        }
        fired
    }

    /// The images at these places.
    pub(super) fn gathered(&self, places: &[usize]) -> Self {
        if places.len() == self.rows {
            return self.clone();
        }
        let gather = |tensor: &Vec<f32>| {
            let length = tensor.len().checked_div(self.rows).unwrap_or_default();
            let mut gathered = Vec::with_capacity(places.len() * length);
            for place in places {
                gathered.extend_from_slice(&tensor[place * length..][..length]);
            }
            gathered
        };
        Self { rows: places.len(), tensors: self.tensors.iter().map(gather).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_zeroed_and_images_gathered() {
        let activation = vec![1.0, 2.0, 0.0, 0.0, 5.0, 6.0, 0.0, 8.0, 0.0, -0.0, 1.0, 1.0];
        let mut carried = Carried::new(3, vec![activation, vec![10.0, 20.0, 30.0]]);
        // Three images of two channels of two places.
        assert_eq!(carried.prune(1, 2, 2), [1, 2]);
        assert_eq!(carried.prune(1, 2, 2), [0_usize; 0]);
        assert_eq!(carried.activation(), [1.0, 2.0, 0.0, 0.0, 5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let some = carried.gathered(&[0, 2]);
        assert_eq!((some.rows(), some.tensors()[1].as_slice()), (2, &[10.0, 30.0][..]));
        assert_eq!(some.activation(), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(some.bytes(), 4 * (8 + 2));
    }
}
