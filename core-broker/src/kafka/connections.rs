//! What the connections of Kafka clients share: memory, places, quotas, lines of the log, and the end.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use anyhow::bail;
use broker_logic::connections::{self as logic, ByteQuota, Full, PlaceLimits, Places, Rarely};
use kafka_wire::ApiKey;
use service::ByteSize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};

use super::{
    connection::Closed,
    memory::{Memory, Share},
    send::Piece,
};
use crate::config::{ByteRates, Config};

/// A request of so few bytes is decoded without asking whether there is room.
pub const SMALL_BYTES: usize = 64 << 10;

/// A structure in memory, and its part of the answer, for the bytes that name it: an empty name has two.
const DECODED_FACTOR: usize = 32;

/// Requests that change something are worked on so many at a time: they wait more than they work.
const CHANGES: usize = 4;

/// Large answers that are made and have no memory yet; the client of another one is told to come again by a closed
/// connection.
const WAITING_ANSWERS: usize = 4;

/// Whether somebody is in the way is looked at again after this long, as long as memory is short.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub struct Connections {
    /// Of requests, from before their bytes are read until the last of these is gone.
    pub request_memory: Memory,
    /// Of large requests once they are decoded.
    decoded: Memory,
    /// Of large answers until they are sent.
    pub answer_memory: Memory,
    /// To work on what may take a processor for long.
    turns: Arc<Semaphore>,
    /// To change what the controller or the disks decide about.
    changes: Arc<Semaphore>,
    /// For answers that wait for their memory.
    waiting_answers: Semaphore,
    decompressions: Arc<Semaphore>,
    bombs: Arc<Semaphore>,
    places: Mutex<Places<IpAddr>>,
    produced: Mutex<ByteQuota>,
    fetched: Mutex<ByteQuota>,
    told: Mutex<Rarely<Cause>>,
    stop: watch::Sender<bool>,
}

/// Why a client was not served, as far as the log tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    Accept,
    Full(Full),
    TooSlow,
    NeverReads,
    NoRoom,
    OverQuota,
    Unreadable,
}

impl Connections {
    pub fn new(config: &Config) -> Self {
        let broker = &config.broker;
        let limits = PlaceLimits {
            total: broker.max_connections,
            listeners: config.listener.iter().map(|it| it.max_connections.unwrap_or(usize::MAX)).collect(),
            per_address: broker.max_connections_per_ip.unwrap_or(usize::MAX),
        };
        let quota = |rate: fn(&ByteRates) -> Option<ByteSize>| {
            let clients = config.quotas.clients.iter();
            let by_client = clients.filter_map(|(id, rates)| Some((id.clone(), rate(rates)?.0)));
            let default = rate(&config.quotas.default_rates()).map(|rate| rate.0);
            Mutex::new(ByteQuota::new(logic::ByteRates { default, by_client: by_client.collect() }))
        };
        let (stop, _) = watch::channel(false);
        Self {
            request_memory: Memory::new(broker.requests_max.0),
            decoded: Memory::new(broker.requests_max.0),
            answer_memory: Memory::for_large(broker.requests_max.0),
            turns: Arc::new(Semaphore::new(spare_processors() + 1)),
            changes: Arc::new(Semaphore::new(CHANGES)),
            waiting_answers: Semaphore::new(WAITING_ANSWERS),
            decompressions: Arc::new(Semaphore::new(spare_processors())),
            bombs: Arc::new(Semaphore::new(1)),
            places: Mutex::new(Places::new(limits)),
            produced: quota(|rates| rates.producer_byte_rate),
            fetched: quota(|rates| rates.consumer_byte_rate),
            told: Mutex::default(),
            stop,
        }
    }

    /// Room for what a request becomes, unless it is one of the many small ones.
    pub async fn room_to_decode(&self, frame_bytes: usize) -> Option<Share> {
        match frame_bytes < SMALL_BYTES {
            true => None,
            // Beside the memory of the frames: who waits here with one of these keeps nobody waiting who
            // works on another.
            false => Some(self.decoded.share(frame_bytes.saturating_mul(DECODED_FACTOR)).await),
        }
    }

    /// Room for an answer until it is sent, unless it is one of the many small ones.
    pub async fn room_to_send(&self, pieces: &[Piece]) -> anyhow::Result<Option<Share>> {
        let bytes = pieces.iter().map(Piece::memory_bytes).sum();
        if bytes < SMALL_BYTES {
            return Ok(None);
        }
        if let Some(share) = self.answer_memory.try_share(bytes) {
            return Ok(Some(share));
        }
        let Ok(_waiting) = self.waiting_answers.try_acquire() else { bail!(Closed::NoRoomToAnswer) };
        Ok(Some(self.answer_memory.share(bytes).await))
    }

    /// Until somebody waits for room to decode.
    pub async fn decoding_is_short(&self) {
        self.decoded.shortage().await;
    }

    /// Until somebody waits for the memory of requests, and `is_in_the_way` holds.
    pub async fn requests_are_short(&self, is_in_the_way: impl Fn() -> bool) {
        loop {
            self.request_memory.shortage().await;
            if is_in_the_way() {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// A turn to work on a request that may take long.
    pub async fn turn(&self, api: ApiKey) -> OwnedSemaphorePermit {
        match api {
            ApiKey::AlterConfigs
            | ApiKey::CreatePartitions
            | ApiKey::CreateTopics
            | ApiKey::DeleteGroups
            | ApiKey::DeleteRecords
            | ApiKey::DeleteTopics
            | ApiKey::IncrementalAlterConfigs
            | ApiKey::OffsetCommit
            | ApiKey::OffsetDelete => turn_of(&self.changes).await,
            _ => turn_of(&self.turns).await,
        }
    }

    /// A turn to look into what was compressed, and what it becomes is of an honest size.
    pub async fn decompression(&self) -> OwnedSemaphorePermit {
        turn_of(&self.decompressions).await
    }

    /// A turn to look into what becomes so large that it may be meant to hurt.
    pub async fn bomb(&self) -> OwnedSemaphorePermit {
        turn_of(&self.bombs).await
    }

    /// A place among the connections, left when it is dropped.
    pub fn enter(self: &Arc<Self>, listener: usize, address: IpAddr) -> Result<Place, Full> {
        locked(&self.places).enter(listener, address)?;
        Ok(Place { connections: self.clone(), listener, address })
    }

    pub fn open(&self) -> usize {
        locked(&self.places).total()
    }

    /// How long a producer is to wait after so many bytes.
    pub fn produced(&self, client_id: &str, bytes: usize) -> Duration {
        locked(&self.produced).charge(client_id, bytes as u64, Instant::now())
    }

    /// How long a consumer is to wait after so many bytes.
    pub fn fetched(&self, client_id: &str, bytes: usize) -> Duration {
        locked(&self.fetched).charge(client_id, bytes as u64, Instant::now())
    }

    /// Whether the log may tell it, and then how many more there were since it told it last.
    pub fn happened(&self, cause: Cause) -> Option<u64> {
        locked(&self.told).happened(cause, Instant::now())
    }

    /// No request is taken from here on, and what waits for something to happen is answered.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Until the broker stops.
    pub async fn stopping(&self) {
        // The sender is here, so the channel is open.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

/// One connection's place.
pub struct Place {
    connections: Arc<Connections>,
    listener: usize,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.connections.places).leave(self.listener, self.address);
    }
}

async fn turn_of(turns: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    turns.clone().acquire_owned().await.expect("the semaphore is never closed")
}

/// One is left to those who have little to do.
fn spare_processors() -> usize {
    available_parallelism().map_or(1, |processors| processors.get() - 1).max(1)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}
