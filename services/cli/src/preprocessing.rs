//! Preprocessing as people write it on the command line.

use std::str::FromStr;

use clap::ValueEnum;
use gifthorse_api::v1;
use gifthorse_api::v1::resize_rule::{Filter, Fit};

/// Order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// One channel.
    Grey,
}

impl From<ChannelOrder> for v1::channel_order::Kind {
    fn from(order: ChannelOrder) -> Self {
        match order {
            ChannelOrder::Rgb => Self::Rgb,
            ChannelOrder::Bgr => Self::Bgr,
            ChannelOrder::Grey => Self::Grey,
        }
    }
}

/// Order of a tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// Batch, height, width, channels.
    Nhwc,
    /// Batch, channels, height, width.
    Nchw,
}

impl From<Layout> for v1::layout::Kind {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::Nhwc => Self::Nhwc,
            Layout::Nchw => Self::Nchw,
        }
    }
}

/// What happens to an alpha channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Alpha {
    /// A picture with alpha is refused.
    Refuse,
    /// The alpha channel is dropped.
    Drop,
    /// Blended onto black.
    Black,
    /// Blended onto white.
    White,
}

impl From<Alpha> for v1::preprocessing::Alpha {
    fn from(alpha: Alpha) -> Self {
        match alpha {
            Alpha::Refuse => Self::Refuse,
            Alpha::Drop => Self::Drop,
            Alpha::Black => Self::BlendOnBlack,
            Alpha::White => Self::BlendOnWhite,
        }
    }
}

/// A finite number above zero: divisors of pixel values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divisor(f64);

impl Divisor {
    /// The number.
    pub const fn value(self) -> f64 {
        self.0
    }
}

/// A text that is no preprocessing value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreprocessingError {
    /// Not a number above zero.
    #[error("{found:?} is not a number above 0: use 255 for networks that take 0..1, 1 for raw pixels")]
    Divisor {
        /// What was given.
        found: String,
    },
    /// Not a resize rule.
    #[error(
        "{found:?} is not a resize rule of the form FILTER:FIT[:antialias][:exif]; FILTER is one of nearest, \
         bilinear, bicubic, gaussian, lanczos3 and FIT one of stretch, center-crop, letterbox"
    )]
    Resize {
        /// What was given.
        found: String,
    },
}

impl FromStr for Divisor {
    type Err = PreprocessingError;

    fn from_str(text: &str) -> Result<Self, PreprocessingError> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 => Ok(Self(number)),
            _ => Err(PreprocessingError::Divisor { found: text.to_owned() }),
        }
    }
}

/// A rule for pictures of another size: `FILTER:FIT`, then `:antialias` and `:exif` where wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    filter: Filter,
    fit: Fit,
    antialias: bool,
    exif: bool,
}

impl FromStr for Resize {
    type Err = PreprocessingError;

    fn from_str(text: &str) -> Result<Self, PreprocessingError> {
        Self::parse(text).ok_or_else(|| PreprocessingError::Resize { found: text.to_owned() })
    }
}

impl Resize {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(':');
        let filter = match words.next()? {
            "nearest" => Filter::Nearest,
            "bilinear" | "triangle" => Filter::Triangle,
            "bicubic" | "catmull-rom" => Filter::CatmullRom,
            "gaussian" => Filter::Gaussian,
            "lanczos3" => Filter::Lanczos3,
            _ => return None,
        };
        let fit = match words.next()? {
            "stretch" => Fit::Stretch,
            "center-crop" => Fit::CenterCrop,
            "letterbox" => Fit::Letterbox,
            _ => return None,
        };
        let mut rule = Self { filter, fit, antialias: false, exif: false };
        for word in words {
            match word {
                "antialias" if !rule.antialias => rule.antialias = true,
                "exif" if !rule.exif => rule.exif = true,
                _ => return None,
            }
        }
        Some(rule)
    }
}

impl From<Resize> for v1::ResizeRule {
    fn from(rule: Resize) -> Self {
        Self {
            filter: rule.filter.into(),
            antialias: rule.antialias,
            fit: rule.fit.into(),
            apply_exif_orientation: rule.exif,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_are_finite_and_positive() {
        assert!((("255".parse::<Divisor>().unwrap().value()) - 255.0).abs() < f64::EPSILON);
        for text in ["", "0", "-1", "inf", "NaN", "x"] {
            assert!(text.parse::<Divisor>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn resize_rules_are_read_in_full() {
        let rule: v1::ResizeRule = "bilinear:center-crop:antialias".parse::<Resize>().unwrap().into();
        assert_eq!(rule.filter(), Filter::Triangle);
        assert_eq!(rule.fit(), Fit::CenterCrop);
        assert!(rule.antialias && !rule.apply_exif_orientation);
        let rule: v1::ResizeRule = "nearest:letterbox:exif".parse::<Resize>().unwrap().into();
        assert!(!rule.antialias && rule.apply_exif_orientation);
        for text in ["", "nearest", "nearest:", "nearest:stretch:", "x:stretch", "nearest:stretch:exif:exif"]
        {
            assert!(text.parse::<Resize>().is_err(), "{text:?} must be refused");
        }
    }
}
