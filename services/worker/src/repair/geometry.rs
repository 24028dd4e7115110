//! Where the numbers of a prepared image lie, and between which bounds.

use gifthorse_network::{Layout, NetworkDescription};

/// The lowest and the highest number of each channel that prepared images have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    low: Vec<f32>,
    high: Vec<f32>,
}

/// Where numbers of an image lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    height: u64,
    width: u64,
    channels: u64,
    layout: Layout,
}

impl Geometry {
    /// That of a network's images.
    pub(super) const fn of(description: &NetworkDescription) -> Self {
        let NetworkDescription { height, width, channels, layout, .. } = *description;
        Self::new(height, width, channels, layout)
    }

    pub(super) const fn new(height: u64, width: u64, channels: u64, layout: Layout) -> Self {
        Self { height, width, channels, layout }
    }

    const fn place(self, row: u64, column: u64, channel: u64) -> usize {
        (match self.layout {
            Layout::Nhwc => (row * self.width + column) * self.channels + channel,
            Layout::Nchw => (channel * self.height + row) * self.width + column,
        }) as usize
    }

    /// Rows, columns and channels, to count with.
    pub(super) const fn sides(self) -> (i64, i64, i64) {
        (self.height as i64, self.width as i64, self.channels as i64)
    }

    /// The same as [`place`](Self::place) for numbers that are counted with.
    pub(super) const fn at(self, row: i64, column: i64, channel: i64) -> usize {
        self.place(row as u64, column as u64, channel as u64)
    }

    /// The channel of the number at this place of an image.
    pub(super) const fn channel_of(self, place: usize) -> usize {
        match self.layout {
            Layout::Nhwc => place % self.channels as usize,
            Layout::Nchw => place / (self.height * self.width) as usize,
        }
    }

    /// Numbers of one image.
    pub(super) const fn numbers(self) -> usize {
        (self.height * self.width * self.channels) as usize
    }
}

impl Range {
    /// Looks at prepared images, one after another.
    pub(super) fn of(geometry: Geometry, images: &[f32]) -> Self {
        let channels = geometry.channels as usize;
        let mut range = Self { low: vec![f32::INFINITY; channels], high: vec![f32::NEG_INFINITY; channels] };
        for image in images.chunks_exact(geometry.numbers()) {
            for (place, value) in image.iter().enumerate() {
                let channel = geometry.channel_of(place);
                range.low[channel] = range.low[channel].min(*value);
                range.high[channel] = range.high[channel].max(*value);
            }
        }
        range
    }

    /// The lowest and the highest number of a channel.
    pub(super) fn of_channel(&self, channel: usize) -> (f32, f32) {
        (self.low[channel], self.high[channel])
    }
}
