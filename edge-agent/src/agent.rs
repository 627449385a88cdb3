//! One agent from start to stop: the ports, and one life of its cores after the other.
//!
//! A store that failed takes nothing more until it is opened again. Then the cores are made anew from what
//! is on the disk, as after a power cut: the devices reconnect and send again what was not acknowledged.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use edge_logic::routes::Routes;
use tokio::{net::TcpListener, time::sleep};
use tracing::{error, info};

use crate::{
    config::Config,
    life::{self, End},
    quic::Link,
    store,
};

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Serves until SIGINT or SIGTERM.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let config = Arc::new(config);
    Routes::new(&config.route)?;
    service::raise_file_limit();
    service::writable_folder(config.data())?;
    let listener = TcpListener::bind(config.mqtt.address).await.with_context(|| {
        format!("cannot listen on {} for devices: give another address with --mqtt", config.mqtt.address)
    })?;
    let link = Arc::new(Link::new(&config.uplink)?);
    let mut stop = Box::pin(service::stop_signal());
    let mut verify = false;
    let mut announced = false;
    let mut retry = FIRST_RETRY;
    loop {
        let opened = store::open(&config, verify);
        let end = match opened {
            Ok(opened) => {
                if !announced {
                    announced = true;
                    service::serving(&format!(
                        "edge-agent: serving MQTT devices on {}, forwarding to {}, outbox in {}",
                        listener.local_addr()?,
                        config.uplink.broker,
                        config.data().display()
                    ));
                }
                retry = FIRST_RETRY;
                life::live(&config, &listener, &link, opened, stop.as_mut()).await
            }
            // The first time it is the operator's to mend; later it may be a disk that comes back.
            Err(error) if !announced => return Err(error),
            Err(error) => End::StoreFailed { why: format!("{error:#}"), damaged: false },
        };
        match end {
            End::Stopped => {
                info!("stopped");
                link.close().await;
                return Ok(());
            }
            End::StoreFailed { why, damaged } => {
                error!(
                    retry_s = retry.as_secs(),
                    "the outbox cannot be written, devices are not acknowledged: {why}"
                );
                verify = damaged;
                tokio::select! {
                    () = sleep(retry) => {}
                    _ = stop.as_mut() => return Ok(()),
                }
                retry = (retry * 2).min(LONGEST_RETRY);
            }
        }
    }
}
