//! What an owner thread runs: the seam between batching and ONNX Runtime.

use std::time::Duration;

use crate::datatype::Datatype;

/// One input of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InputBlock<'a> {
    pub(crate) datatype: Datatype,
    pub(crate) shape: &'a [u64],
    /// As long as shape and type say, and aligned for the type.
    pub(crate) bytes: &'a [u8],
}

/// Where one output of a run goes.
#[derive(Debug)]
pub(crate) struct OutputBuffer {
    pub(crate) datatype: Datatype,
    /// Unwanted outputs are not copied.
    pub(crate) wanted: bool,
    /// Shape of the last run's output.
    pub(crate) shape: Vec<u64>,
    /// The outputs of all runs, one after the other.
    pub(crate) data: Vec<u8>,
}

/// A network that can be run, by one thread at a time.
pub(crate) trait Network {
    /// Runs the network once and appends its wanted outputs to `outputs`, both in the signature's order.
    ///
    /// Gives the time the network took, copying excluded; fails with what the runtime says.
    fn run(&mut self, inputs: &[InputBlock<'_>], outputs: &mut [OutputBuffer]) -> Result<Duration, String>;
}
