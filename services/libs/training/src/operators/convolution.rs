//! Convolution over rows and columns.

use gifthorse_network::onnx::messages::NodeProto;
use tch::{TchError, Tensor};

use super::window::{Window, torch_order};
use super::{Built, Facts, Inputs, Operator, Pass, Value};

#[derive(Debug)]
struct Convolution {
    window: Window,
    groups: i64,
}

pub(super) fn build(node: &NodeProto, facts: &Facts<'_>) -> Built {
    if let Some(rank) = facts.rank(node, 1).filter(|rank| *rank != 4) {
        return Err(format!("its kernel has {rank} axes; only pictures, with 4, are trained"));
    }
    // The kernel itself says its size; the attribute may be left out.
    let window = Window::read(node, Some([1, 1]))?;
    Ok(Box::new(Convolution { window, groups: node.int("group").unwrap_or(1) }))
}

impl Operator for Convolution {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        let (picture, kernel, bias) = (inputs.tensor(0)?, inputs.tensor(1)?, inputs.optional(2)?);
        let (_, _, rows, columns) = kernel.size4()?;
        let window = self.window.over([rows, columns]);
        let fit = window.fit(picture)?;
        let padded = || picture.f_constant_pad_nd(torch_order(fit.asked));
        if window.kernel == [1, 1] && window.strides != [1, 1] {
            let picture = if fit.asked == [0; 4] { picture.shallow_clone() } else { padded()? };
            let seen = seen(&picture, window.strides)?;
            return Ok(Value::Tensor(seen.f_conv2d(kernel, bias, [1, 1], [0, 0], [1, 1], self.groups)?));
        }
        let convolve = |picture: &Tensor, padding: [i64; 2]| {
            picture.f_conv2d(kernel, bias, window.strides, padding, window.dilations, self.groups)
        };
        let made = match fit.symmetric([i64::MAX; 2]) {
            Some(padding) => convolve(picture, padding)?,
            None => convolve(&padded()?, [0, 0])?,
        };
        Ok(Value::Tensor(made))
    }
}

/// The pixels that a kernel of one pixel sees when it moves with strides.
///
/// They are picked here because the oneDNN inside libtorch 2.13 picks them into a buffer that is too short when
/// channels lie last and are few, and gradients are asked for: it writes over whatever lies behind
/// (<https://github.com/uxlfoundation/oneDNN/issues/6035>).
fn seen(picture: &Tensor, [rows, columns]: [i64; 2]) -> Result<Tensor, TchError> {
    picture.f_slice(2, None, None, rows)?.f_slice(3, None, None, columns)
}
