//! Images and labels: pictures, the preprocessing record, data sets and their splits.
//!
//! * [`picture`] decodes PNG, JPEG, BMP and WebP within limits; [`preprocessing`] says what a network was
//!   trained on; [`prepare`] joins the two.
//! * [`canonical`] is the one form in which data sets are stored, `foreign` (behind the feature of that
//!   name) makes it from HDF5, NPZ and image folders, [`view`] reads it, [`splits`] divides it.
//!
//! Reading a foreign file belongs into a quarantined process, for libhdf5 can crash on bad files; decoding a
//! picture does not, its decoders are memory-safe and bounded.

pub mod canonical;
pub mod error;
#[cfg(feature = "foreign")]
pub mod foreign;
pub mod npy;
pub mod picture;
pub mod prepare;
pub mod preprocessing;
pub mod splits;
pub mod view;
#[cfg(feature = "wire")]
pub mod wire;
#[cfg(feature = "wire")]
pub mod wire_tensor;

pub use canonical::{Dtype, ImageSize, Summary};
pub use error::DatasetError;
pub use picture::{Picture, PictureError, PictureLimits, read_picture};
pub use prepare::{
    ImageTensor, PixelArray, PixelValues, PrepareError, check_tensor, prepare_picture, prepare_pixels,
};
pub use preprocessing::{
    AlphaRule, ChannelOrder, CropRule, ExifOrientation, Layout, Preprocessing, PreprocessingError,
    PreprocessingRecord, ResizeFilter, ResizeRule, Scale,
};
pub use view::{DatasetView, ImageRows};
