//! One client's connection: frames in, answers out in the order of their requests.
//!
//! Requests are started in their order; a produce is in its partitions' queues before the next request is
//! read. Answers may become ready in any order and leave in that of the requests.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::BytesMut;
use kafka_wire::frame::{LENGTH_BYTES, take_frame};
use tokio::{
    io::AsyncReadExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{Instant, timeout_at},
};

use super::{
    dispatch::{self, Answer},
    send::send,
};
use crate::broker::Shared;

/// Requests of one connection that are under way; beyond it the next is not read, and TCP slows the client.
const IN_FLIGHT: usize = 64;

/// What one read may bring.
const READ_BYTES: usize = 64 << 10;

/// Memory is given out in pieces of this size.
pub const SHARE_BYTES: u64 = 1 << 10;

/// A request is whole this long after its first byte, and a second more for every 64 KiB of it: who is
/// slower has gone, or holds memory on purpose.
const REQUEST_TIME: Duration = Duration::from_secs(30);
const SLOWEST_BYTES_PER_SECOND: u32 = 64 << 10;

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

pub async fn run(
    socket: TcpStream,
    client: Client,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let (reader, writer) = socket.into_split();
    let (answers, queue) = mpsc::channel(IN_FLIGHT);
    let mut writing = tokio::spawn(write(writer, queue));
    let read = tokio::select! {
        read = read(reader, &client, &shared, answers) => read,
        written = &mut writing => return written?,
        _ = stopping.wait_for(|stop| *stop) => Ok(()),
    };
    // The queue is closed: the writer ends once the last answer is out.
    let written = writing.await?;
    read.and(written)
}

async fn read(
    mut socket: OwnedReadHalf,
    client: &Client,
    shared: &Arc<Shared>,
    answers: mpsc::Sender<Answer>,
) -> anyhow::Result<()> {
    let mut buffer = BytesMut::new();
    let limit = shared.config.broker.request_max.0 as usize;
    let mut share = None;
    // Of the request that has begun to arrive.
    let mut whole_by = None;
    loop {
        while let Some(frame) = take_frame(&mut buffer, limit)? {
            let answer = dispatch::start(shared, client, frame).await?;
            // The request's memory is given back with its answer.
            let share = share.take();
            whole_by = None;
            let answer: Answer = Box::pin(async move {
                let answer = answer.await;
                drop(share);
                answer
            });
            if answers.send(answer).await.is_err() {
                return Ok(());
            }
        }
        if whole_by.is_none()
            && let Some(length) = buffer.first_chunk::<LENGTH_BYTES>()
        {
            let length = u32::from_be_bytes(*length);
            share = share_of(shared, length).await?;
            let seconds = u64::from(length / SLOWEST_BYTES_PER_SECOND);
            whole_by = Some(Instant::now() + REQUEST_TIME + Duration::from_secs(seconds));
        }
        buffer.reserve(READ_BYTES);
        let read = socket.read_buf(&mut buffer);
        // Between requests a client may be silent for as long as it likes, within one it may not.
        let count = match whole_by {
            Some(whole_by) => {
                timeout_at(whole_by, read).await.context("a request took too long to arrive")??
            }
            None => read.await?,
        };
        if count == 0 {
            if !buffer.is_empty() {
                bail!("the client went away in the middle of a request");
            }
            return Ok(());
        }
    }
}

/// A request's share of the memory for all requests, waited for before its bytes are read. Small ones need
/// none: they fit into what a connection reads at once.
async fn share_of(shared: &Shared, length: u32) -> anyhow::Result<Option<OwnedSemaphorePermit>> {
    if (length as usize) < READ_BYTES {
        return Ok(None);
    }
    let most = (shared.config.broker.requests_max.0 / SHARE_BYTES) as u32;
    let shares = (u64::from(length) / SHARE_BYTES + 1).min(u64::from(most)) as u32;
    Ok(Some(shared.request_memory.clone().acquire_many_owned(shares).await?))
}

async fn write(socket: OwnedWriteHalf, mut queue: mpsc::Receiver<Answer>) -> anyhow::Result<()> {
    while let Some(answer) = queue.recv().await {
        let Some(pieces) = answer.await? else { continue };
        send(&socket, pieces).await?;
    }
    Ok(())
}
