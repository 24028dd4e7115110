//! What a training runs on, and what it must be run on again to end with the same bits.

use std::fmt;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::error::TrainingError;

/// Where tensors live and are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this number, from 0.
    Cuda(u32),
}

impl Device {
    /// The first GPU where libtorch has one, else the processor.
    pub fn best() -> Self {
        if tch::Cuda::is_available() { Self::Cuda(0) } else { Self::Cpu }
    }

    /// The device for libtorch.
    ///
    /// # Errors
    /// [`TrainingError::Device`] when it is not there.
    pub(crate) fn torch(self) -> Result<tch::Device, TrainingError> {
        match self {
            Self::Cpu => Ok(tch::Device::Cpu),
            Self::Cuda(index) => {
                let count = usize::try_from(tch::Cuda::device_count()).unwrap_or_default();
                if (index as usize) < count {
                    // Trying algorithms out chooses by time, another one on another day.
                    tch::Cuda::cudnn_set_benchmark(false);
                    Ok(tch::Device::Cuda(index as usize))
                } else {
                    Err(TrainingError::Device { device: self, count })
                }
            }
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => formatter.write_str("the processor"),
            Self::Cuda(index) => write!(formatter, "CUDA device {index}"),
        }
    }
}

/// Threads that libtorch computes with, in the whole process; sums over several threads depend on it.
pub fn use_threads(count: NonZeroUsize) {
    tch::set_num_threads(i32::try_from(count.get()).unwrap_or(i32::MAX));
}

/// What, beside seed and data, the bits of trained weights depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of libtorch.
    pub libtorch: String,
    /// Threads it computes with.
    pub threads: u32,
    /// Device of the network.
    pub device: Device,
    /// Architecture of the processor; its generation decides on the kernels too, ask the system for it.
    pub architecture: String,
}

impl Environment {
    /// The environment of this process, for a network on `device`.
    pub fn of(device: Device) -> Self {
        Self {
            libtorch: LIBTORCH_VERSION.to_owned(),
            threads: u32::try_from(tch::get_num_threads()).unwrap_or(1),
            device,
            architecture: std::env::consts::ARCH.to_owned(),
        }
    }
}

/// The version of libtorch that is linked; any other is refused when gifthorse is built.
pub const LIBTORCH_VERSION: &str = "2.13.0";

/// How exactly a network computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits, as networks are stored and served.
    #[default]
    Single,
    /// 64 bits, to check gradients: in deep networks of rectifiers those of 32 bits differ by some 1e-2 from
    /// machine to machine, through rectifiers that fall to the other side.
    Double,
}

impl Precision {
    pub(crate) fn kind(self) -> tch::Kind {
        match self {
            Self::Single => tch::Kind::Float,
            Self::Double => tch::Kind::Double,
        }
    }
}
