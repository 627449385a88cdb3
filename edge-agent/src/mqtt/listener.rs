//! The TCP listener for devices.

use std::time::Duration;

use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tracing::warn;

/// After an accept that failed for want of descriptors: time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The next device. Safe to drop and call again.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return socket,
            Err(error) => {
                warn!(%error, "cannot accept a device");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
