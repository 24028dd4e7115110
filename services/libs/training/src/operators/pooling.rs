//! Pooling over rows and columns.

use gifthorse_network::onnx::messages::NodeProto;
use tch::{TchError, Tensor};

use super::window::{Fit, Window, torch_order};
use super::{Built, Facts, Inputs, Operator, Pass, Value};

/// What a mean is divided by, where a window reaches beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The elements of the picture in the window.
    Picture,
    /// These and the padding that was asked for.
    Padding,
    /// All places of the window.
    Window,
}

#[derive(Debug)]
enum Pooling {
    /// The greatest of a window; of equals the first.
    Greatest(Window),
    /// The mean of a window.
    Mean { window: Window, over: Over },
    /// The greatest of all rows and columns.
    GlobalGreatest,
    /// The mean of all rows and columns.
    GlobalMean,
}

pub(super) fn build(node: &NodeProto, facts: &Facts<'_>) -> Built {
    let window = Window::read(node, None)?;
    if node.op_type == "MaxPool" {
        if node.output.get(1).is_some_and(|indices| !indices.is_empty()) {
            return Err("its second output, where the greatest were, is used".to_owned());
        }
        if node.int("storage_order").unwrap_or(0) != 0 {
            return Err("it counts in column order".to_owned());
        }
        return Ok(Box::new(Pooling::Greatest(window)));
    }
    if window.dilations != [1, 1] {
        return Err("it is a mean over a window with gaps (dilations)".to_owned());
    }
    let over = match node.int("count_include_pad").unwrap_or(0) {
        0 => Over::Picture,
        // Up to opset 18 the inference engine counts what a rounded up window adds beyond the padding too.
        _ if facts.opset < 19 => Over::Window,
        _ => Over::Padding,
    };
    Ok(Box::new(Pooling::Mean { window, over }))
}

pub(super) fn global(node: &NodeProto) -> Box<dyn Operator> {
    let greatest = node.op_type == "GlobalMaxPool";
    Box::new(if greatest { Pooling::GlobalGreatest } else { Pooling::GlobalMean })
}

impl Operator for Pooling {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        let picture = inputs.tensor(0)?;
        let made = match self {
            Self::Greatest(window) => greatest(picture, window)?,
            Self::Mean { window, over } => mean(picture, window, *over)?,
            Self::GlobalGreatest => {
                let (_, _, rows, columns) = picture.size4()?;
                picture.f_max_pool2d([rows, columns], [1, 1], [0, 0], [1, 1], false)?
            }
            Self::GlobalMean => picture.f_mean_dim([2_i64, 3].as_slice(), true, None)?,
        };
        Ok(Value::Tensor(made))
    }
}

/// libtorch pads by half a window at most.
fn half(window: &Window) -> [i64; 2] {
    window.kernel.map(|size| size / 2)
}

fn greatest(picture: &Tensor, window: &Window) -> Result<Tensor, TchError> {
    let fit = window.fit(picture)?;
    let pool = |picture: &Tensor, padding: [i64; 2]| {
        picture.f_max_pool2d(window.kernel, window.strides, padding, window.dilations, false)
    };
    match fit.symmetric(half(window)) {
        Some(padding) => pool(picture, padding),
        None => pool(&padded(picture, fit.exact, f64::NEG_INFINITY)?, [0, 0]),
    }
}

fn mean(picture: &Tensor, window: &Window, over: Over) -> Result<Tensor, TchError> {
    let fit = window.fit(picture)?;
    let counts_padding = over != Over::Picture;
    if let Some(padding) = fit.symmetric(half(window)) {
        return picture.f_avg_pool2d(window.kernel, window.strides, padding, false, counts_padding, None);
    }
    let pool = |picture: &Tensor, divisor: Option<i64>| {
        picture.f_avg_pool2d(window.kernel, window.strides, [0, 0], false, true, divisor)
    };
    let padded = padded(picture, fit.exact, 0.0)?;
    if over == Over::Window {
        return pool(&padded, None);
    }
    pool(&padded, Some(1))?.f_div(&pool(&counted(picture, &fit, counts_padding)?, Some(1))?)
}

/// One where an element counts, `[1, 1, H, W]` with padding.
fn counted(picture: &Tensor, fit: &Fit, counts_padding: bool) -> Result<Tensor, TchError> {
    let (_, _, rows, columns) = picture.size4()?;
    let ones = Tensor::f_ones([1, 1, rows, columns], (picture.kind(), picture.device()))?;
    let asked = padded(&ones, fit.asked, if counts_padding { 1.0 } else { 0.0 })?;
    // Beyond what was asked for nothing counts, not even padding.
    let beyond = [0, 1, 2, 3].map(|side| fit.exact[side] - fit.asked[side]);
    padded(&asked, beyond, 0.0)
}

fn padded(picture: &Tensor, sides: [i64; 4], value: f64) -> Result<Tensor, TchError> {
    picture.f_pad(torch_order(sides), "constant", value)
}
