//! Tensors on their way through the conversion.
//!
//! Pictures of a channels-last network run channels first in ONNX, because that is what its convolutions
//! take; a value remembers in which order its axes are, and is turned only where a layer needs the other.

use super::super::layer::DataFormat;
use super::Converter;
use crate::onnx::attribute;

/// In which order a tensor's axes are in ONNX, the batch axis always first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum AxisOrder {
    /// As in Keras.
    Keras,
    /// The last axis of Keras comes right after the batch axis.
    LastFirst,
}

/// What the numbers of a tensor stand for, as far as the end of a classifier cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Meaning {
    /// Any numbers; at the end of a classifier: logits.
    Open,
    /// Softmax of this tensor along the last axis.
    Probabilities {
        /// Name of the tensor before the softmax.
        logits: String,
    },
    /// The values of a squashing function, or made from them: neither logits nor probabilities.
    Squashed(&'static str),
}

/// A tensor of the network.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Value {
    /// Its name in ONNX.
    pub(in super::super) tensor: String,
    /// Its shape in Keras, without the batch axis.
    pub(in super::super) shape: Vec<usize>,
    /// The order of its axes in ONNX.
    pub(in super::super) order: AxisOrder,
    /// What it stands for.
    pub(in super::super) meaning: Meaning,
}

/// A picture `[N, C, H, W]` in ONNX.
#[derive(Debug, Clone)]
pub(in super::super) struct Planes {
    /// Its name in ONNX.
    pub(in super::super) tensor: String,
    /// Count of channels.
    pub(in super::super) channels: usize,
    /// Rows and columns.
    pub(in super::super) size: [usize; 2],
    /// Where Keras has the channels.
    pub(in super::super) format: DataFormat,
}

impl Planes {
    /// The same picture under another name, with other sizes.
    pub(in super::super) fn with(&self, tensor: String, channels: usize, size: [usize; 2]) -> Self {
        Self { tensor, channels, size, format: self.format }
    }

    /// The picture as a value of the network.
    pub(in super::super) fn value(self) -> Value {
        let [height, width] = self.size;
        let (shape, order) = match self.format {
            DataFormat::ChannelsLast => (vec![height, width, self.channels], AxisOrder::LastFirst),
            DataFormat::ChannelsFirst => (vec![self.channels, height, width], AxisOrder::Keras),
        };
        Value { tensor: self.tensor, shape, order, meaning: Meaning::Open }
    }
}

impl Value {
    /// A value whose axes are in the order of Keras.
    pub(in super::super) fn keras(tensor: String, shape: Vec<usize>) -> Self {
        Self { tensor, shape, order: AxisOrder::Keras, meaning: Meaning::Open }
    }

    /// The same value with its axes said to be in another order.
    pub(in super::super) fn in_order(self, order: AxisOrder) -> Self {
        Self { order, ..self }
    }

    /// The same shape and order under another name.
    pub(in super::super) fn renamed(&self, tensor: String) -> Self {
        Self { tensor, ..self.clone() }
    }

    /// The picture in the value; none when it has another rank.
    fn sizes(&self, format: DataFormat) -> Option<(usize, [usize; 2])> {
        match (format, self.shape.as_slice()) {
            (DataFormat::ChannelsLast, [height, width, channels])
            | (DataFormat::ChannelsFirst, [channels, height, width]) => Some((*channels, [*height, *width])),
            _ => None,
        }
    }

    /// Where an axis of the Keras tensor, from 0 without the batch axis, is in the ONNX tensor with it.
    pub(in super::super) fn onnx_axis(&self, axis: usize) -> usize {
        match self.order {
            AxisOrder::Keras => axis + 1,
            AxisOrder::LastFirst if axis + 1 == self.shape.len() => 1,
            AxisOrder::LastFirst => axis + 2,
        }
    }

    /// An axis as Keras counts it (with the batch axis, negative from the end) without the batch axis;
    /// none when it is the batch axis or there is none such.
    pub(in super::super) fn axis(&self, axis: i64) -> Option<usize> {
        let rank = self.shape.len() as i64 + 1;
        let axis = if axis < 0 { axis + rank } else { axis };
        (1..rank).contains(&axis).then(|| axis as usize - 1)
    }

    /// Whether both orders of axes have the same elements in the same places.
    pub(in super::super) fn order_is_moot(&self) -> bool {
        let Some((channels, rest)) = self.shape.split_last() else {
            return true;
        };
        *channels == 1 || rest.iter().all(|size| *size == 1)
    }
}

impl Converter<'_> {
    /// The value with its axes in `order`; a transposition is added at most once a tensor.
    pub(super) fn turned(&mut self, value: &Value, order: AxisOrder) -> Value {
        let rank = value.shape.len() as i64;
        if value.order == order || rank < 2 {
            return Value { order, ..value.clone() };
        }
        let tensor = &value.tensor;
        if let Some(known) = self.turned.get(&(tensor.clone(), order)) {
            return Value { tensor: known.clone(), order, ..value.clone() };
        }
        let (suffix, permutation): (_, Vec<i64>) = match order {
            AxisOrder::LastFirst => ("channels_first", [0, rank].into_iter().chain(1..rank).collect()),
            AxisOrder::Keras => ("channels_last", std::iter::once(0).chain(2..=rank).chain([1]).collect()),
        };
        let attributes = vec![attribute::ints("perm", &permutation)];
        let turned = self.graph.node("Transpose", &format!("{tensor}/{suffix}"), &[tensor], attributes);
        self.turned.insert((tensor.clone(), order), turned.clone());
        self.turned.insert((turned.clone(), value.order), tensor.clone());
        Value { tensor: turned, order, ..value.clone() }
    }

    /// The value as a picture `[N, C, H, W]`; none when it has another rank.
    pub(super) fn planes(&mut self, value: &Value, format: DataFormat) -> Option<Planes> {
        let (channels, size) = value.sizes(format)?;
        let order = match format {
            DataFormat::ChannelsLast => AxisOrder::LastFirst,
            DataFormat::ChannelsFirst => AxisOrder::Keras,
        };
        let tensor = self.turned(value, order).tensor;
        Some(Planes { tensor, channels, size, format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_found_in_both_orders() {
        let mut value = Value::keras("x".to_owned(), vec![8, 6, 3]);
        assert_eq!((0..3).map(|axis| value.onnx_axis(axis)).collect::<Vec<_>>(), [1, 2, 3]);
        value.order = AxisOrder::LastFirst;
        assert_eq!((0..3).map(|axis| value.onnx_axis(axis)).collect::<Vec<_>>(), [2, 3, 1]);
        assert_eq!([-1, -3, 1, 3].map(|axis| value.axis(axis)), [Some(2), Some(0), Some(0), Some(2)]);
        assert_eq!([0, -4, 4].map(|axis| value.axis(axis)), [None; 3]);
    }
}
