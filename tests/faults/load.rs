//! Clients that ask again as soon as they are answered.

use std::cell::Cell;

use futures::future::join_all;
use tonic::Status;
use tonic::transport::Channel;

use crate::patience::soon;
use crate::vigil::{classify, sound_input};

/// What became of a load.
pub(crate) struct Load {
    /// Requests that were answered.
    pub(crate) answered: usize,
    /// The refusal that ended each client.
    pub(crate) refusals: Vec<Status>,
}

/// One client on each connection, every one going on until it is refused. `disturb` is called once, in the
/// midst of it all, when `undisturbed` requests have been answered.
pub(crate) async fn until_refused(channels: &[Channel], undisturbed: usize, disturb: impl Fn()) -> Load {
    let answered = Cell::new(0);
    let client = async |channel: &Channel| loop {
        match classify(channel, sound_input()).await {
            Ok(_) => {
                answered.set(answered.get() + 1);
                if answered.get() == undisturbed {
                    disturb();
                }
            }
            Err(refusal) => return refusal,
        }
    };
    let refusals = soon("a client", join_all(channels.iter().map(client))).await;
    Load { answered: answered.get(), refusals }
}
