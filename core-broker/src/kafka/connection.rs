//! One client's connection: frames in, answers out in the order of their requests.
//!
//! Requests are started in their order; a produce is in its partitions' queues before the next request is
//! read. Every other one is decoded when its turn comes, and worked on alone. Answers leave in the order of the
//! requests.

use std::{io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::bail;
use bytes::{Bytes, BytesMut};
use kafka_wire::{
    ApiKey,
    frame::{LENGTH_BYTES, take_frame},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{TcpStream, tcp::ReadHalf},
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    answers::{self, Flow},
    dispatch::{self, Answer},
    memory::{Memory, Share},
};
use crate::broker::Shared;

/// Requests of one connection that are under way; beyond it the next is not read, and TCP slows the client.
const IN_FLIGHT: usize = 64;

/// What one read may bring.
const READ_BYTES: usize = 64 << 10;

/// A request is whole this long after its first byte, and a second more for every 64 KiB of it: who is
/// slower has gone, or holds memory on purpose.
const REQUEST_TIME: Duration = Duration::from_secs(30);
const SLOWEST_BYTES_PER_SECOND: u64 = 64 << 10;

const API_KEY_BYTES: usize = 2;

/// A client that makes no progress for this long goes when others wait for the memory that it holds. Until
/// then it may be one that works on what it has read, and that is no offence.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Only a produce may be as large as `request_max`: everything else names topics, groups and members.
const MOST_NAMED_BYTES: usize = 8 << 20;

/// Whether a client that waits is still there is looked at every so often.
const STILL_THERE: Duration = Duration::from_secs(1);

/// After the last answer: time for the client to read it and to hang up.
const GOODBYE: Duration = Duration::from_secs(1);

/// Who is at the other end. TLS and SASL will name others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    Anonymous,
}

/// One connection's other end.
#[derive(Debug, Clone)]
pub struct Client {
    pub remote: SocketAddr,
    pub principal: Principal,
    /// The listener that it came through: it is told the addresses of this one.
    pub listener: Arc<str>,
}

/// Why we hung up on a client that sent nothing wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    #[error("a request took too long to arrive")]
    TooSlow,
    #[error("the client does not read its answers")]
    NeverReads,
    #[error("there is no room for the answer: others do not read theirs")]
    NoRoomToAnswer,
    #[error("the client is over its quota, and others need the memory of what it has sent")]
    OverQuota,
}

/// What the protocol allows and we do not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a request of {bytes} bytes (API key {api_key}): at most {MOST_NAMED_BYTES} are taken of any but a produce"
)]
struct TooLarge {
    bytes: usize,
    api_key: i16,
}

pub async fn run(mut socket: TcpStream, client: Client, shared: Arc<Shared>) -> anyhow::Result<()> {
    let flow = Arc::new(Flow::new());
    let (reader, writer) = socket.split();
    let (answers, queue) = mpsc::channel(IN_FLIGHT);
    let both = async {
        let reading = read(reader, &client, &shared, &flow, answers);
        let writing = answers::write(writer, &shared, &flow, queue);
        tokio::pin!(reading, writing);
        tokio::select! {
            read = &mut reading => match read {
                // Such as a member that leaves its group and goes. What has to wait is not waited for.
                Ok(End::ClientGone) => timeout(GOODBYE, writing).await.unwrap_or(Ok(())),
                // The queue is closed: the writer ends once the last answer is out.
                Ok(End::NoMoreRead) => writing.await,
                Err(error) => timeout(GOODBYE, writing).await.unwrap_or(Ok(())).and(Err(error)),
            },
            written = &mut writing => written,
        }
    };
    both.await?;
    hang_up(socket).await
}

/// Closing a socket that has unread bytes takes back the answers that are still on their way.
async fn hang_up(mut socket: TcpStream) -> anyhow::Result<()> {
    socket.shutdown().await?;
    let mut unread = vec![0; 4 << 10];
    let gone = async {
        while socket.read(&mut unread).await? > 0 {}
        std::io::Result::Ok(())
    };
    Ok(timeout(GOODBYE, gone).await.unwrap_or(Ok(()))?)
}

/// Why nothing more is read from a client that sent nothing wrong.
enum End {
    ClientGone,
    NoMoreRead,
}

async fn read(
    socket: ReadHalf<'_>,
    client: &Client,
    shared: &Arc<Shared>,
    flow: &Arc<Flow>,
    answers: mpsc::Sender<(Answer, bool)>,
) -> anyhow::Result<End> {
    let memory = &shared.connections.request_memory;
    let limit = shared.config.broker.request_max.0 as usize;
    let mut buffer = BytesMut::new();
    let mut arriving: Option<Arriving> = None;
    loop {
        while let Some(frame) = take_frame(&mut buffer, limit)? {
            let holds_memory = arriving.as_ref().is_some_and(|it| it.share.is_some()) || flow.in_flight() > 0;
            let accounted = async {
                let frame = accounted(frame, arriving.take(), flow, memory).await;
                tokio::select! {
                    () = flow.unmuted() => Ok(frame),
                    () = in_the_way_from(Instant::now() + PATIENCE, memory), if holds_memory => {
                        Err(Closed::OverQuota)
                    }
                }
            };
            let Some(frame) = unless_ended(accounted, &socket, shared).await?.transpose()? else {
                return Ok(End::NoMoreRead);
            };
            let is_produce = frame.starts_with(&(ApiKey::Produce as i16).to_be_bytes());
            let answer = dispatch::start(shared, client, flow, frame).await?;
            flow.begin(is_produce);
            if answers.send((answer, is_produce)).await.is_err() {
                return Ok(End::NoMoreRead);
            }
        }
        if arriving.is_none()
            && let Some((length, api_key)) = begun(&buffer)
        {
            if length > MOST_NAMED_BYTES && api_key != ApiKey::Produce as i16 {
                bail!(TooLarge { bytes: length, api_key });
            }
            // A client that is to wait sends into its own memory, not into ours.
            let begin = async {
                flow.unmuted().await;
                // Nor does one hold much behind a request that may wait for long.
                if length >= READ_BYTES {
                    flow.waits_for_nobody().await;
                }
                Arriving::begin(length, memory).await
            };
            match unless_ended(begin, &socket, shared).await? {
                Some(begun) => arriving = Some(begun),
                None => return Ok(End::NoMoreRead),
            }
        }
        if buffer.is_empty() {
            // Thousands of connections are silent most of the time.
            buffer = BytesMut::new();
        }
        let max_idle = shared.config.broker.connections_max_idle.0;
        tokio::select! {
            readable = socket.readable() => readable?,
            () = shared.connections.stopping() => return Ok(End::NoMoreRead),
            () = overdue(arriving.as_ref(), memory), if !buffer.is_empty() => bail!(Closed::TooSlow),
            () = flow.idle(max_idle), if buffer.is_empty() => return Ok(End::NoMoreRead),
        }
        buffer.reserve(arriving.as_ref().map_or(READ_BYTES, |arriving| arriving.rest(&buffer)));
        match socket.try_read_buf(&mut buffer) {
            Ok(0) if buffer.is_empty() => return Ok(End::ClientGone),
            Ok(0) => bail!("the client went away in the middle of a request"),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What it was to wait for; `None` when the broker stops: what is not begun is not accepted, and the client asks
/// another broker, or this one when it is back.
async fn unless_ended<T>(
    waiting: impl Future<Output = T>,
    socket: &ReadHalf<'_>,
    shared: &Shared,
) -> anyhow::Result<Option<T>> {
    tokio::select! {
        biased;
        value = waiting => Ok(Some(value)),
        () = shared.connections.stopping() => Ok(None),
        () = gone(socket) => bail!("the client went away while its request waited"),
    }
}

async fn gone(socket: &ReadHalf<'_>) {
    loop {
        sleep(STILL_THERE).await;
        match socket.ready(Interest::READABLE).await {
            Ok(ready) if !ready.is_read_closed() => {}
            _ => return,
        }
    }
}

/// The length of the request at the front and its API key, once they are there.
fn begun(buffer: &[u8]) -> Option<(usize, i16)> {
    let (length, rest) = buffer.split_first_chunk::<LENGTH_BYTES>()?;
    let length = u32::from_be_bytes(*length) as usize;
    match rest.first_chunk() {
        Some(api_key) => Some((length, i16::from_be_bytes(*api_key))),
        // Too short for one.
        None if length < API_KEY_BYTES => Some((length, 0)),
        None => None,
    }
}

/// A request that has begun to arrive.
struct Arriving {
    /// With its length prefix.
    bytes: usize,
    began: Instant,
    whole_by: Instant,
    share: Option<Share>,
}

impl Arriving {
    /// Its share of the memory is waited for before its bytes are read. Small ones need none: they fit into
    /// what a connection reads at once.
    async fn begin(length: usize, memory: &Memory) -> Self {
        let share = if length < READ_BYTES { None } else { Some(memory.share(length).await) };
        let began = Instant::now();
        let seconds = length as u64 / SLOWEST_BYTES_PER_SECOND;
        let whole_by = began + REQUEST_TIME + Duration::from_secs(seconds);
        Self { bytes: LENGTH_BYTES + length, began, whole_by, share }
    }

    /// What the next read may bring: once its memory is granted, the rest of the request in one piece.
    fn rest(&self, buffer: &BytesMut) -> usize {
        match self.share {
            Some(_) => self.bytes.saturating_sub(buffer.len()).max(1),
            None => READ_BYTES,
        }
    }
}

/// Until the request has had its time: much of it, unless others wait for the memory that it holds.
async fn overdue(arriving: Option<&Arriving>, memory: &Memory) {
    let Some(Arriving { began, whole_by, share, .. }) = arriving else {
        // Not even its length is there.
        return sleep_until(Instant::now() + REQUEST_TIME).await;
    };
    if share.is_none() {
        return sleep_until(*whole_by).await;
    }
    tokio::select! {
        () = sleep_until(*whole_by) => {}
        () = in_the_way_from(*began + PATIENCE, memory) => {}
    }
}

/// Until others wait for memory, but not before `patient_until`.
async fn in_the_way_from(patient_until: Instant, memory: &Memory) {
    sleep_until(patient_until).await;
    memory.shortage().await;
}

/// The frame with the memory that it takes. Of small ones only those need a share that a client sends before
/// it has the answer to the last: a silent majority of connections must not wait for a few that are busy.
async fn accounted(frame: Bytes, arriving: Option<Arriving>, flow: &Flow, memory: &Memory) -> Bytes {
    match arriving.and_then(|arriving| arriving.share) {
        Some(share) => share.holding(frame),
        None if flow.in_flight() == 0 => frame,
        None => memory.share(frame.len()).await.holding(frame),
    }
}
