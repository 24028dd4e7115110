//! Windows that slide over rows and columns: convolution and pooling.

use gifthorse_network::onnx::messages::NodeProto;
use tch::{TchError, Tensor};

/// Where padding comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    /// Top, left, bottom, right.
    Given([i64; 4]),
    /// As much that the output has `ceil(input / stride)` places; an odd one goes below and right.
    SameUpper,
    /// The same; an odd one goes above and left.
    SameLower,
}

/// A window over rows and columns; pairs are (rows, columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kernel: [i64; 2],
    pub(super) strides: [i64; 2],
    pub(super) dilations: [i64; 2],
    padding: Padding,
    ceil: bool,
}

/// How a window meets a picture of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    /// Padding the node asks for: top, left, bottom, right.
    pub(super) asked: [i64; 4],
    /// Padding after which every window lies inside and nothing is left over: the same, with bottom and right
    /// shortened (below zero: cut off) or lengthened to the end of the last window.
    pub(super) exact: [i64; 4],
}

impl Window {
    /// Reads the attributes of a node whose kernel has this size.
    ///
    /// # Errors
    /// A reason for people when it is not a window over rows and columns.
    pub(super) fn read(node: &NodeProto, kernel: Option<[i64; 2]>) -> Result<Self, String> {
        let kernel = match (node.ints("kernel_shape"), kernel) {
            (Some(_), _) => pair(node, "kernel_shape", 0)?,
            (None, Some(kernel)) => kernel,
            (None, None) => return Err("it has no kernel_shape".to_owned()),
        };
        let padding = match node.text("auto_pad").unwrap_or("NOTSET") {
            "SAME_UPPER" => Padding::SameUpper,
            "SAME_LOWER" => Padding::SameLower,
            "VALID" => Padding::Given([0; 4]),
            "NOTSET" => match node.ints("pads") {
                None => Padding::Given([0; 4]),
                Some(&[top, left, bottom, right]) => Padding::Given([top, left, bottom, right]),
                Some(other) => return Err(format!("its pads {other:?} are not of rows and columns")),
            },
            other => return Err(format!("its auto_pad is {other:?}")),
        };
        let window = Self {
            kernel,
            strides: pair(node, "strides", 1)?,
            dilations: pair(node, "dilations", 1)?,
            padding,
            ceil: node.int("ceil_mode").unwrap_or(0) != 0,
        };
        let positive =
            [window.kernel, window.strides, window.dilations].concat().iter().all(|size| *size > 0);
        if positive {
            Ok(window)
        } else {
            Err("a kernel size, stride or dilation is not positive".to_owned())
        }
    }

    /// The same window with a kernel of this size.
    pub(super) const fn over(self, kernel: [i64; 2]) -> Self {
        Self { kernel, ..self }
    }

    /// Rows and columns from the first to the last that a window covers.
    fn reach(&self, axis: usize) -> i64 {
        self.dilations[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Meets a picture `[N, C, H, W]`.
    pub(super) fn fit(&self, picture: &Tensor) -> Result<Fit, TchError> {
        let (_, _, rows, columns) = picture.size4()?;
        let mut fit = Fit { asked: [0; 4], exact: [0; 4] };
        for (axis, size) in [rows, columns].into_iter().enumerate() {
            let (stride, reach) = (self.strides[axis], self.reach(axis));
            let (before, after) = self.padding.of(axis, size, stride, reach);
            let room = size + before + after - reach;
            if room < 0 {
                return Err(TchError::Shape(format!(
                    "a window of {reach} does not fit into {size} rows or columns and their padding"
                )));
            }
            let mut places = room / stride + 1;
            // One more window that is not full, unless it would begin in the padding after the picture.
            if self.ceil && room % stride != 0 && places * stride < size + before {
                places += 1;
            }
            fit.asked[axis] = before;
            fit.asked[axis + 2] = after;
            fit.exact[axis] = before;
            fit.exact[axis + 2] = (places - 1) * stride + reach - size - before;
        }
        Ok(fit)
    }
}

impl Fit {
    /// Padding (rows, columns) that libtorch can do itself: the same on both sides, and at most `most` of it.
    pub(super) fn symmetric(&self, most: [i64; 2]) -> Option<[i64; 2]> {
        let [top, left, bottom, right] = self.asked;
        let [.., exact_bottom, exact_right] = self.exact;
        // What floor division leaves over is left over by libtorch as well.
        let floors = exact_bottom <= bottom && exact_right <= right;
        let fits = (0..=most[0]).contains(&top) && (0..=most[1]).contains(&left);
        (top == bottom && left == right && floors && fits).then_some([top, left])
    }
}

/// `[top, left, bottom, right]` in the order of libtorch: the last axis first.
pub(super) const fn torch_order([top, left, bottom, right]: [i64; 4]) -> [i64; 4] {
    [left, right, top, bottom]
}

impl Padding {
    fn of(self, axis: usize, size: i64, stride: i64, reach: i64) -> (i64, i64) {
        let same = || {
            let places = (size + stride - 1) / stride;
            ((places - 1) * stride + reach - size).max(0)
        };
        match self {
            Self::Given(pads) => (pads[axis], pads[axis + 2]),
            Self::SameUpper => (same() / 2, same() - same() / 2),
            Self::SameLower => (same() - same() / 2, same() / 2),
        }
    }
}

fn pair(node: &NodeProto, name: &str, default: i64) -> Result<[i64; 2], String> {
    match node.ints(name) {
        None => Ok([default; 2]),
        Some(&[rows, columns]) => Ok([rows, columns]),
        Some(other) => Err(format!("its {name} {other:?} is not of rows and columns")),
    }
}
