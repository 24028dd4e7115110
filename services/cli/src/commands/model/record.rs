//! What a file or a foreign server does not say of a network's pictures.

use gifthorse_api::v1;

use crate::preprocessing::{Alpha, ChannelOrder, Divisor, Layout, Resize};

/// How pixels become the numbers that the network takes.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    /// Order of the colour channels that the network was trained on [default: rgb]
    #[arg(long, value_name = "ORDER")]
    channel_order: Option<ChannelOrder>,
    /// Pixel values 0..255 are divided by this: 255 for networks that take 0..1, 1 for raw pixels
    /// [default: 255]
    #[arg(long, value_name = "DIVISOR")]
    scale: Option<Divisor>,
    /// Order of the axes of the network's input [default: read off the network]
    #[arg(long)]
    layout: Option<Layout>,
    /// Subtracted after scaling, one number a channel
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', allow_negative_numbers = true)]
    mean: Vec<f64>,
    /// Divided by after the subtraction, one number a channel
    #[arg(long, value_name = "R,G,B", value_delimiter = ',')]
    standard_deviation: Vec<f64>,
    /// Bring pictures of another size to the network's: FILTER is nearest, bilinear, bicubic, gaussian or
    /// lanczos3, FIT is stretch, center-crop or letterbox; `:antialias` and `:exif` may follow
    /// [default: refuse them]
    #[arg(long, value_name = "FILTER:FIT")]
    resize: Option<Resize>,
    /// What happens to an alpha channel of pictures [default: refuse]
    #[arg(long, value_name = "RULE")]
    alpha: Option<Alpha>,
}

impl Record {
    /// The record as far as it was given: without the size of the pictures.
    pub(super) fn message(&self) -> v1::Preprocessing {
        v1::Preprocessing {
            layout: self.layout.map_or(v1::layout::Kind::LayoutUnspecified, Into::into).into(),
            channel_order: self
                .channel_order
                .map_or(v1::channel_order::Kind::ChannelOrderUnspecified, Into::into)
                .into(),
            scale: self.scale.map_or(0.0, Divisor::value),
            mean: self.mean.clone(),
            standard_deviation: self.standard_deviation.clone(),
            resize: self.resize.map(Into::into),
            alpha: self.alpha.map_or(v1::preprocessing::Alpha::Unspecified, Into::into).into(),
            ..Default::default()
        }
    }
}
