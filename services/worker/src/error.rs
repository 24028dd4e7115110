//! Why a worker ends without having said how its job went.

/// Why a worker ends without having said how its job went.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The trainer is not there.
    #[error("the trainer at {address} does not answer: {reason}")]
    Unreachable {
        /// Its address.
        address: String,
        /// What the transport says.
        reason: String,
    },
    /// The trainer gives no lease.
    #[error("the trainer gives no lease: {0}")]
    Refused(String),
    /// What the trainer gave makes no sense.
    #[error("the trainer gave a lease that cannot be used: {0}")]
    Lease(String),
    /// The lease is lost: whatever is done now belongs to somebody else.
    #[error("the lease is lost: {0}")]
    LeaseLost(String),
    /// The process that started this one is not there any more.
    #[error("the process that started this worker is gone")]
    ParentGone,
    /// This machine does not give what a worker needs.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
}

impl WorkerError {
    /// The exit status: 3 when there was no lease, so that a launcher knows that the job was never begun.
    pub(crate) const fn exit_status(&self) -> u8 {
        match self {
            Self::Unreachable { .. } | Self::Refused(_) | Self::Lease(_) | Self::ParentGone => 3,
            Self::LeaseLost(_) => 4,
            Self::System { .. } => 1,
        }
    }
}
