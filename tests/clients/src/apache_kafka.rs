//! Apache Kafka itself on this machine, from the jars that `tests/clients/install` fetched: what it says is
//! what the broker must say.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use end_to_end::{command, free_address, kafka::Client, workspace};
use kafka_wire::messages::{
    list_offsets::{LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
    metadata::MetadataRequest,
};

use crate::client::installed;

/// A JVM on a busy machine needs a while until it serves.
const START: Duration = Duration::from_secs(60);

/// The node's controller listens so far above its broker.
const CONTROLLER: u16 = 100;

/// The node has one folder, so tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// One node, stopped when dropped.
pub struct ApacheKafka {
    _turn: MutexGuard<'static, ()>,
    script: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    /// The node when it runs for the second time, as a child of this test.
    again: Option<Child>,
}

impl ApacheKafka {
    /// A fresh node; `None`, and a word about it, when its jars are not here.
    pub fn start() -> Result<Option<Self>> {
        if !Self::is_installed() {
            return Ok(None);
        }
        let (script, folder) = (script(), installed().join("apache-kafka"));
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let node = Self { _turn, script, folder, address: free_pair(), again: None };
        command::output(node.command("start").arg("1").arg(node.address.port().to_string()), b"")?;
        Ok(Some(node))
    }

    /// Or else a word about it.
    pub fn is_installed() -> bool {
        let installed = script().is_file() && installed().join("apache-kafka/libs/.complete").is_file();
        if !installed {
            println!("skipped: Apache Kafka is not installed, so nothing is compared with it");
        }
        installed
    }

    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// Stopped and started again on its data, which the script itself would delete.
    ///
    /// It listens before it leads, and a client that retries a request because of one partition writes the
    /// others twice: so this waits until it leads what it led.
    pub fn restart(&mut self) -> Result<()> {
        let led = self.led()?;
        command::output(&mut self.command("stop"), b"")?;
        let mut node = self.command("tool");
        node.arg("kafka.Kafka").arg(self.folder.join("server-1.properties")).env("KAFKA_TOOL_HEAP", "512m");
        self.again = Some(node.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let until = Instant::now() + START;
        while !self.led().is_ok_and(|leads| leads.is_superset(&led)) {
            ensure!(Instant::now() < until, "Apache Kafka does not start again within {START:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The partitions that it answers for.
    fn led(&self) -> Result<BTreeSet<(String, i32)>> {
        let mut client = Client::connect(self.address)?;
        let every_topic = MetadataRequest { topics: None, ..Default::default() };
        let topics = client.call(every_topic, 9)?.topics.into_iter().map(|topic| ListOffsetsTopic {
            name: topic.name.unwrap_or_default(),
            partitions: (topic.partitions.iter())
                .map(|partition| ListOffsetsPartition {
                    partition_index: partition.partition_index,
                    timestamp: LATEST_TIMESTAMP,
                    ..Default::default()
                })
                .collect(),
        });
        let ends = ListOffsetsRequest { topics: topics.collect(), ..Default::default() };
        let answers = client.call(ends, 7)?.topics.into_iter();
        Ok(answers
            .flat_map(|topic| {
                let led = topic.partitions.into_iter().filter(|partition| partition.error_code.is_ok());
                led.map(move |partition| (topic.name.clone(), partition.partition_index))
            })
            .collect())
    }

    fn command(&self, what: &str) -> Command {
        let mut script = Command::new(&self.script);
        script.arg(what).env("KAFKA_PEER_DIR", &self.folder).env("KAFKA_PEER_HEAP", "512m");
        // Kafka's own default, and the broker's; the script has 0.
        script.env("KAFKA_PEER_PROPS", "group.initial.rebalance.delay.ms=3000");
        script
    }
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        // Gone already, or gone now.
        if let Some(mut node) = self.again.take() {
            let _ = node.kill();
            let _ = node.wait();
        }
        let _ = command::output(&mut self.command("stop"), b"");
    }
}

/// What starts it, and fetches its jars.
fn script() -> PathBuf {
    workspace().join("../shared/peers/apache-kafka")
}

/// An address whose controller's port is free too.
fn free_pair() -> SocketAddr {
    loop {
        let address = free_address();
        let mut controller = address;
        controller.set_port(address.port() + CONTROLLER);
        if TcpListener::bind(controller).is_ok() {
            return address;
        }
    }
}
