//! A Kafka client that is made of frames: it says exactly what a test wants it to say, legal or not.

mod requests;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_wire::{Call, Request, decode_response, encode_request, frame::take_frame};

pub use requests::{
    FETCH, PRODUCE, batch, batch_of, create_topic, create_topic_with, fetch, fetched, produce, produced,
};

const ANSWER: Duration = Duration::from_secs(30);
const MAX_ANSWER_BYTES: usize = 64 << 20;
const READ_BYTES: usize = 64 << 10;

pub const CLIENT_ID: &str = "test";

pub struct Client {
    pub socket: TcpStream,
    arrived: BytesMut,
    next_id: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).with_context(|| format!("nobody listens on {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(ANSWER))?;
        socket.set_write_timeout(Some(ANSWER))?;
        Ok(Self { socket, arrived: BytesMut::new(), next_id: 0 })
    }

    /// Sends a request and waits for its answer.
    pub fn call<C: Call>(&mut self, request: C, version: i16) -> Result<C::Response> {
        self.ask(request, version)?;
        self.answer::<C>(version)
    }

    /// Sends a request and waits for nothing.
    pub fn ask(&mut self, request: impl Into<Request>, version: i16) -> Result<()> {
        self.next_id += 1;
        let chunks = encode_request(&request.into(), version, self.next_id, Some(CLIENT_ID))?;
        self.send(&chunks.concat())
    }

    /// The answer to the last request.
    pub fn answer<C: Call>(&mut self, version: i16) -> Result<C::Response> {
        let frame = self.receive()?.context("the broker closed the connection")?;
        let (id, response) = decode_response(frame, C::API, version)?;
        ensure!(id == self.next_id, "the answer to request {id}, not to {}", self.next_id);
        Ok(C::Response::try_from(response)?)
    }

    /// Bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.socket.write_all(bytes)?)
    }

    /// The next frame, without its length; `None` when the broker has closed the connection.
    pub fn receive(&mut self) -> Result<Option<Bytes>> {
        let mut chunk = vec![0; READ_BYTES];
        loop {
            if let Some(frame) = take_frame(&mut self.arrived, MAX_ANSWER_BYTES)? {
                return Ok(Some(frame));
            }
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => self.arrived.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error).context("no answer"),
            }
        }
    }
}
