//! An answer on its way out. Records leave their files here, a piece at a time and only when the socket takes
//! it: a client that reads slowly, or never, holds no memory.

use std::{cell::RefCell, collections::VecDeque, io, time::Duration};

use anyhow::bail;
use bytes::{Buf, Bytes};
use commit_log::{RealFile, Slice};
use kafka_wire::Part;
use tokio::{
    net::tcp::WriteHalf,
    time::{Instant, sleep, sleep_until},
};

use super::connection::{Closed, PATIENCE};
use crate::{broker::Shared, partition::blocking};

/// What is offered to the socket at a time; a piece this size stays in the processor's cache between the file
/// and the socket.
const MOST_BYTES: usize = 256 << 10;

/// A socket with little room is offered little: what it does not take was read in vain.
const LEAST_BYTES: usize = 16 << 10;

/// An answer that holds memory is read faster than this, when others wait for it.
const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;

/// A piece of an answer.
pub enum Piece {
    Bytes(Bytes),
    File(Slice<RealFile>),
}

impl Piece {
    /// What it takes until it is sent; records are in their files.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(_) => 0,
        }
    }
}

/// The parts of an encoded answer with its records, which are elsewhere, put in their places.
pub fn pieces(parts: Vec<Part>, records: impl IntoIterator<Item = Slice<RealFile>>) -> Vec<Piece> {
    let mut records = records.into_iter();
    let piece = |part| match part {
        Part::Bytes(bytes) => Piece::Bytes(bytes),
        Part::Elsewhere { bytes } => {
            let slice = records.next().expect("an answer has as many slices as places for them");
            assert_eq!(slice.len(), bytes, "each slice fits its place");
            Piece::File(slice)
        }
    };
    parts.into_iter().map(piece).collect()
}

/// Whether it `holds_memory`: then it may not be read arbitrarily slowly when others need that.
pub async fn send(
    socket: &WriteHalf<'_>,
    pieces: Vec<Piece>,
    holds_memory: bool,
    shared: &Shared,
) -> anyhow::Result<()> {
    let mut queue = Queue(pieces.into());
    let mut room = MOST_BYTES;
    let (began, mut sent) = (Instant::now(), 0);
    while !queue.0.is_empty() {
        let patient_until = match holds_memory {
            true => began + PATIENCE + Duration::from_secs(sent / SLOWEST_BYTES_PER_SECOND),
            false => Instant::now() + PATIENCE,
        };
        tokio::select! {
            biased;
            writable = socket.writable() => writable?,
            () = is_in_the_way(shared, patient_until) => bail!(Closed::NeverReads),
        }
        match BUFFER.with_borrow_mut(|buffer| offer(socket, &queue, &mut buffer[..room]))? {
            Offered::Taken { bytes, all } => {
                queue.advance(bytes);
                sent += bytes as u64;
                room = if all { room * 2 } else { bytes * 2 }.clamp(LEAST_BYTES, MOST_BYTES);
            }
            Offered::Nothing => {}
            Offered::NotInMemory => queue.read_first(room).await?,
        }
    }
    Ok(())
}

/// Until a client that takes nothing is in the way of others, or was so for as long as it could have been idle.
async fn is_in_the_way(shared: &Shared, patient_until: Instant) {
    sleep_until(patient_until).await;
    tokio::select! {
        // Its requests in flight hold some, and so may its answer.
        () = shared.connections.request_memory.shortage() => {}
        () = shared.connections.answer_memory.shortage() => {}
        () = sleep(shared.config.broker.connections_max_idle.0) => {}
    }
}

thread_local! {
    /// Held only between a file and a socket, never while something is waited for.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MOST_BYTES]);
}

enum Offered {
    Taken { bytes: usize, all: bool },
    Nothing,
    NotInMemory,
}

fn offer(socket: &WriteHalf<'_>, queue: &Queue, buffer: &mut [u8]) -> io::Result<Offered> {
    let filled = queue.fill(buffer)?;
    if filled == 0 {
        return Ok(Offered::NotInMemory);
    }
    match socket.try_write(&buffer[..filled]) {
        Ok(bytes) => Ok(Offered::Taken { bytes, all: bytes == filled }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Offered::Nothing),
        Err(error) => Err(error),
    }
}

/// What is still to be sent; no piece is empty.
struct Queue(VecDeque<Piece>);

impl Queue {
    /// The beginning of the queue, as far as it fits and is in memory.
    fn fill(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        for piece in &self.0 {
            let room = &mut buffer[filled..];
            let (copied, len) = match piece {
                Piece::Bytes(bytes) => {
                    let copied = bytes.len().min(room.len());
                    room[..copied].copy_from_slice(&bytes[..copied]);
                    (copied, bytes.len())
                }
                Piece::File(slice) => (slice.read_cached(room)?.unwrap_or(0), slice.len()),
            };
            filled += copied;
            if copied < len {
                break;
            }
        }
        Ok(filled)
    }

    fn advance(&mut self, mut bytes: usize) {
        while let Some(piece) = self.0.front_mut() {
            let len = match piece {
                Piece::Bytes(bytes) => bytes.len(),
                Piece::File(slice) => slice.len(),
            };
            if bytes < len {
                match piece {
                    Piece::Bytes(piece) => piece.advance(bytes),
                    Piece::File(slice) => slice.advance(bytes),
                }
                return;
            }
            bytes -= len;
            self.0.pop_front();
        }
    }

    /// Brings the first bytes of a file into memory.
    async fn read_first(&mut self, most: usize) -> io::Result<()> {
        let Some(Piece::File(slice)) = self.0.front_mut() else { return Ok(()) };
        let from = slice.clone();
        let bytes = blocking(move || {
            let mut bytes = vec![0; most.min(from.len())];
            let read = from.read(&mut bytes)?;
            bytes.truncate(read);
            io::Result::Ok(bytes)
        })
        .await?;
        slice.advance(bytes.len());
        if slice.is_empty() {
            self.0.pop_front();
        }
        self.0.push_front(Piece::Bytes(bytes.into()));
        Ok(())
    }
}
