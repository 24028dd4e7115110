//! Layers that move elements without changing them.

use super::super::layer::DataFormat;
use super::{AxisOrder, Converter, Site, Value};
use crate::NetworkError;
use crate::onnx::attribute;

impl Converter<'_> {
    /// Flattens in the order rows, columns, channels whatever the data format, as Keras does.
    pub(super) fn flatten(&mut self, site: &Site, format: DataFormat, input: &Value) -> Value {
        if input.shape.len() == 1 {
            return input.clone();
        }
        let moot = |channels: usize, rest: &[usize]| channels == 1 || rest.iter().all(|size| *size == 1);
        let tensor = match (format, input.shape.as_slice()) {
            (DataFormat::ChannelsFirst, [channels, rest @ ..]) if !moot(*channels, rest) => {
                let rank = input.shape.len() as i64;
                let input = self.turned(input, AxisOrder::Keras);
                let permutation: Vec<i64> = std::iter::once(0).chain(2..=rank).chain([1]).collect();
                let attributes = vec![attribute::ints("perm", &permutation)];
                self.graph.node("Transpose", &site.part("channels_last"), &[&input.tensor], attributes)
            }
            _ if input.order_is_moot() => input.tensor.clone(),
            _ => self.turned(input, AxisOrder::Keras).tensor,
        };
        let tensor = self.graph.node("Flatten", &site.tensor, &[&tensor], vec![attribute::int("axis", 1)]);
        Value { meaning: input.meaning.clone(), ..Value::keras(tensor, vec![input.shape.iter().product()]) }
    }

    pub(super) fn reshape(
        &mut self,
        site: &Site,
        target: &[i64],
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let misfit =
            || site.misfit(std::slice::from_ref(input), &format!("it cannot be reshaped to {target:?}"));
        let elements: usize = input.shape.iter().product();
        let open = target.iter().filter(|size| **size == -1).count();
        let known = target.iter().filter(|size| **size != -1).try_fold(1_usize, |product, size| {
            usize::try_from(*size).ok().filter(|size| *size > 0).and_then(|size| product.checked_mul(size))
        });
        let known = known.ok_or_else(misfit)?;
        let fits = match open {
            0 => known == elements,
            1 => elements.is_multiple_of(known),
            _ => false,
        };
        if !fits {
            return Err(misfit());
        }
        let resolved = |size: &i64| if *size == -1 { elements / known } else { *size as usize };
        let shape: Vec<usize> = target.iter().map(resolved).collect();
        if shape == input.shape {
            return Ok(input.clone());
        }
        let source = if input.order_is_moot() { input.clone() } else { self.turned(input, AxisOrder::Keras) };
        // A zero copies the batch axis.
        let sizes: Vec<i64> = std::iter::once(0).chain(shape.iter().map(|size| *size as i64)).collect();
        let sizes = self.graph.initializer_i64(&site.part("shape"), &sizes);
        let tensor = self.graph.node("Reshape", &site.tensor, &[&source.tensor, &sizes], Vec::new());
        Ok(Value { meaning: input.meaning.clone(), ..Value::keras(tensor, shape) })
    }

    /// One transposition from whatever order the input is in.
    pub(super) fn permute(
        &mut self,
        site: &Site,
        axes: &[usize],
        input: &Value,
    ) -> Result<Value, NetworkError> {
        if axes.len() != input.shape.len() {
            return Err(site.misfit(std::slice::from_ref(input), "it permutes another count of axes"));
        }
        let permutation: Vec<i64> =
            std::iter::once(0).chain(axes.iter().map(|axis| input.onnx_axis(axis - 1) as i64)).collect();
        let shape = axes.iter().map(|axis| input.shape[axis - 1]).collect();
        if permutation.iter().copied().eq(0..permutation.len() as i64) {
            return Ok(Value::keras(input.tensor.clone(), shape));
        }
        let attributes = vec![attribute::ints("perm", &permutation)];
        let tensor = self.graph.node("Transpose", &site.tensor, &[&input.tensor], attributes);
        Ok(Value::keras(tensor, shape))
    }
}
