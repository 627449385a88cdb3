//! Somebody who does nothing wrong, and must not notice those who do.

use std::{
    net::SocketAddr,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use end_to_end::kafka::{Client, FETCH, PRODUCE, batch, create_topic, fetch, fetched, produce, produced};
use kafka_wire::ErrorCode;

const TOPIC: &str = "neighbour";

/// Between two records.
const PAUSE: Duration = Duration::from_millis(20);

/// From sending a record to having read it back, in a debug build on a busy machine. A neighbour who is not
/// served waits for as long as the attack lasts.
const WORST: Duration = Duration::from_secs(5);

/// Writes a record, reads it back, and again, until it is asked how that went.
pub struct Neighbour {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Result<Vec<Duration>>>,
}

impl Neighbour {
    pub fn beside(address: SocketAddr) -> Result<Self> {
        let mut client = Client::connect(address)?;
        create_topic(&mut client, TOPIC, 1)?;
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut taken = Vec::new();
            loop {
                let begin = Instant::now();
                there_and_back(&mut client).with_context(|| format!("after {} records", taken.len()))?;
                taken.push(begin.elapsed());
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return Ok(taken);
                }
            }
        });
        Ok(Self { stop, thread })
    }

    pub fn was_served(self) -> Result<()> {
        self.was_served_within(WORST)
    }

    pub fn was_served_within(self, limit: Duration) -> Result<()> {
        drop(self.stop);
        let mut taken = self.thread.join().expect("the neighbour does not panic").context("a neighbour")?;
        taken.sort();
        let (count, worst) = (taken.len(), taken.last().copied().unwrap_or_default());
        let median = taken.get(count / 2).copied().unwrap_or_default();
        println!("a neighbour was served {count} times, in {median:?} and at worst {worst:?}");
        ensure!(worst < limit, "a neighbour waited for {worst:?}");
        Ok(())
    }
}

fn there_and_back(client: &mut Client) -> Result<()> {
    let answer = client.call(produce(TOPIC, &[0], batch(b"still served")), PRODUCE)?;
    let written = produced(&answer)?;
    ensure!(written.error_code == ErrorCode::None, "{written:?}");
    let answer = client.call(fetch(TOPIC, &[(0, written.base_offset)], Duration::from_secs(10)), FETCH)?;
    let read = fetched(&answer)?;
    ensure!(read.error_code == ErrorCode::None && !read.records.is_empty(), "{read:?}");
    Ok(())
}
