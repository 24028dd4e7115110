//! Sizes and paddings of sliding windows, as TensorFlow computes them.

/// How a window treats the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    /// No padding: the window stays inside.
    Valid,
    /// As many outputs as `ceil(size / stride)`; an odd padding puts the extra row or column last.
    Same,
}

/// One axis of a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Elements the window looks at.
    pub(super) length: usize,
    /// Distance between neighbouring windows.
    pub(super) stride: usize,
    /// Distance between neighbouring elements of one window.
    pub(super) dilation: usize,
}

/// What a window makes of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slide {
    /// Outputs along the axis.
    pub(super) outputs: usize,
    /// Zeros before the axis.
    pub(super) before: usize,
    /// Zeros after the axis.
    pub(super) after: usize,
}

impl Window {
    /// Slides over an axis of `size` elements; none when the window does not fit even once.
    pub(super) fn slide(self, size: usize, padding: Padding) -> Option<Slide> {
        let reach = (self.length - 1).checked_mul(self.dilation)?.checked_add(1)?;
        match padding {
            Padding::Valid => {
                let outputs = size.checked_sub(reach)? / self.stride + 1;
                Some(Slide { outputs, before: 0, after: 0 })
            }
            Padding::Same => {
                let outputs = size.div_ceil(self.stride);
                let needed = outputs.checked_sub(1)?.checked_mul(self.stride)?.checked_add(reach)?;
                let total = needed.saturating_sub(size);
                Some(Slide { outputs, before: total / 2, after: total - total / 2 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slide(size: usize, length: usize, stride: usize, dilation: usize, padding: Padding) -> Option<Slide> {
        Window { length, stride, dilation }.slide(size, padding)
    }

    #[test]
    fn the_extra_padding_goes_last() {
        let expected = Slide { outputs: 112, before: 0, after: 1 };
        assert_eq!(slide(224, 3, 2, 1, Padding::Same), Some(expected));
        let expected = Slide { outputs: 7, before: 1, after: 2 };
        assert_eq!(slide(7, 4, 1, 1, Padding::Same), Some(expected));
        let expected = Slide { outputs: 5, before: 2, after: 2 };
        assert_eq!(slide(5, 3, 1, 2, Padding::Same), Some(expected));
    }

    #[test]
    fn a_stride_longer_than_the_window_needs_no_padding() {
        let expected = Slide { outputs: 3, before: 0, after: 0 };
        assert_eq!(slide(9, 1, 3, 1, Padding::Same), Some(expected));
    }

    #[test]
    fn a_window_that_does_not_fit_is_told() {
        assert_eq!(slide(3, 4, 1, 1, Padding::Valid), None);
        assert_eq!(slide(4, 3, 1, 2, Padding::Valid), None);
        assert_eq!(slide(0, 3, 1, 1, Padding::Same), None);
        assert_eq!(slide(usize::MAX, usize::MAX, 2, usize::MAX, Padding::Same), None);
    }

    proptest! {
        #[test]
        fn every_window_lies_inside_the_padded_axis(
            size in 1_usize..200, length in 1_usize..12, stride in 1_usize..6, dilation in 1_usize..4,
        ) {
            let reach = (length - 1) * dilation + 1;
            if let Some(valid) = slide(size, length, stride, dilation, Padding::Valid) {
                let last = (valid.outputs - 1) * stride + reach;
                prop_assert!(last <= size && size - last < stride);
            } else {
                prop_assert!(reach > size);
            }
            let same = slide(size, length, stride, dilation, Padding::Same).unwrap();
            prop_assert_eq!(same.outputs, size.div_ceil(stride));
            prop_assert!(same.after - same.before <= 1);
            prop_assert!((same.outputs - 1) * stride + reach <= size + same.before + same.after);
        }
    }
}
