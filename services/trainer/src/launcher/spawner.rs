//! The thread that starts workers.
//!
//! A worker asks the kernel to be killed when its parent goes, and the kernel means the thread that started it.
//! So one thread starts them all, and lives exactly as long as the launcher.

use std::io;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Starts that may wait for the thread.
const WAITING: usize = 16;

type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// Starts processes whose parent lives as long as this.
#[derive(Debug)]
pub(super) struct Spawner {
    orders: mpsc::Sender<Order>,
}

impl Spawner {
    /// Starts the thread. Called within a tokio runtime.
    pub(super) fn start() -> io::Result<Self> {
        let (orders, mut received) = mpsc::channel::<Order>(WAITING);
        let runtime = Handle::current();
        std::thread::Builder::new().name("start workers".to_owned()).spawn(move || {
            let _within = runtime.enter();
            while let Some((mut command, answer)) = received.blocking_recv() {
                // Whoever asked may have gone; then the child is killed as it is dropped.
                let _ = answer.send(command.spawn());
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts a process.
    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts workers is gone");
        let (answer, started) = oneshot::channel();
        self.orders.send((command, answer)).await.map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}
