//! One client's connection: frames in, answers out in the order of their requests.
//!
//! Requests are started in their order; a produce is in its partitions' queues before the next request is
//! read. Answers may become ready in any order and leave in that of the requests.

use std::{net::SocketAddr, sync::Arc};

use anyhow::bail;
use bytes::BytesMut;
use kafka_wire::frame::take_frame;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
};

use super::dispatch::{self, Answer};
use crate::broker::Shared;

/// Requests of one connection that are under way; beyond it the next is not read, and TCP slows the client.
const IN_FLIGHT: usize = 64;

/// What one read may bring.
const READ_BYTES: usize = 64 << 10;

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
        read = read(reader, client.remote, &shared, answers) => read,
        written = &mut writing => return written?,
        _ = stopping.wait_for(|stop| *stop) => Ok(()),
    };
    // The queue is closed: the writer ends once the last answer is out.
    let written = writing.await?;
    read.and(written)
}

async fn read(
    mut socket: OwnedReadHalf,
    remote: SocketAddr,
    shared: &Arc<Shared>,
    answers: mpsc::Sender<Answer>,
) -> anyhow::Result<()> {
    let mut buffer = BytesMut::new();
    let limit = shared.config.broker.request_max.0 as usize;
    loop {
        while let Some(frame) = take_frame(&mut buffer, limit)? {
            let answer = dispatch::start(shared, remote, frame).await?;
            if answers.send(answer).await.is_err() {
                return Ok(());
            }
        }
        buffer.reserve(READ_BYTES);
        if socket.read_buf(&mut buffer).await? == 0 {
            if !buffer.is_empty() {
                bail!("the client went away in the middle of a request");
            }
            return Ok(());
        }
    }
}

async fn write(mut socket: OwnedWriteHalf, mut queue: mpsc::Receiver<Answer>) -> anyhow::Result<()> {
    while let Some(answer) = queue.recv().await {
        let Some(chunks) = answer.await? else { continue };
        for chunk in chunks {
            socket.write_all(&chunk).await?;
        }
    }
    Ok(())
}
