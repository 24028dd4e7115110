//! From the preprocessing record to the space that prepared inputs live in.

use gifthorse_dataset::prepare::ImageTensor;
use gifthorse_dataset::preprocessing::{Layout, Preprocessing};
use gifthorse_defence::input::{ChannelRange, InputSpace, InputSpaceError, Layout as PlaneLayout};
use ndarray::Array4;

/// The brightest level of a pixel.
const WHITE: f32 = 255.0;

/// Where black and white lie after preparation, channel by channel.
pub(crate) fn input_space(record: &Preprocessing) -> Result<InputSpace, InputSpaceError> {
    let prepared = |level: f32, channel: usize| {
        let scaled = level / record.scale().divisor();
        let centred = record.mean().map_or(scaled, |mean| scaled - mean[channel]);
        record.std().map_or(centred, |std| centred / std[channel])
    };
    let ranges = (0..record.channels())
        .map(|channel| ChannelRange { black: prepared(0.0, channel), white: prepared(WHITE, channel) })
        .collect();
    let layout = match record.layout() {
        Layout::Nhwc => PlaneLayout::ChannelsLast,
        Layout::Nchw => PlaneLayout::ChannelsFirst,
    };
    InputSpace::new(layout, record.height(), record.width(), ranges)
}

/// Prepared images as an array `[N, ...]` in the record's layout.
pub(crate) fn rows_of(tensor: ImageTensor) -> Array4<f32> {
    let [count, first, second, third] = tensor.shape();
    // A tensor holds as many values as its shape says.
    Array4::from_shape_vec((count, first, second, third), tensor.into_values())
        .unwrap_or_else(|_| Array4::zeros((0, first, second, third)))
}
