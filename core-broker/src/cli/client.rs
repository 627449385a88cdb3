//! A small blocking Kafka client: one connection to one broker, one request at a time.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use kafka_wire::{
    Call, Request, Response, decode_response, encode_request,
    frame::take_frame,
    messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse},
};

const CONNECT: Duration = Duration::from_secs(10);

/// Longer than any wait that the commands ask the broker for.
const ANSWER: Duration = Duration::from_secs(70);

/// A fetch answers with at most 55 MiB.
const MAX_ANSWER_BYTES: usize = 64 << 20;

pub struct Client {
    socket: TcpStream,
    buffer: BytesMut,
    next_id: i32,
}

impl Client {
    /// The first of `HOST:PORT,HOST:PORT...` that answers.
    pub fn connect(bootstrap: &str) -> Result<Self> {
        let mut last = None;
        for address in bootstrap.split(',').map(str::trim) {
            match connect_to(address) {
                Ok(socket) => return Ok(Self { socket, buffer: BytesMut::new(), next_id: 0 }),
                Err(error) => last = Some(error.context(format!("no broker answers at {address}"))),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no broker was named")))
    }

    /// Sends a request in `version` and waits for its answer.
    pub fn call<C: Call>(&mut self, request: C, version: i16) -> Result<C::Response> {
        self.next_id += 1;
        let request: Request = request.into();
        for chunk in encode_request(&request, version, self.next_id, Some("core-broker-cli"))? {
            self.socket.write_all(&chunk)?;
        }
        loop {
            if let Some(frame) = take_frame(&mut self.buffer, MAX_ANSWER_BYTES)? {
                let (id, response): (i32, Response) = decode_response(frame, C::API, version)?;
                if id != self.next_id {
                    bail!("the broker answered request {id} instead of {}", self.next_id);
                }
                return C::Response::try_from(response).context("the broker answered another request");
            }
            let mut chunk = [0; 64 << 10];
            match self.socket.read(&mut chunk).context("no answer")? {
                0 => bail!("the broker closed the connection"),
                count => self.buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// `None` asks for all topics. Never creates one.
    pub fn metadata(&mut self, topics: Option<Vec<String>>) -> Result<MetadataResponse> {
        let topics = topics.map(|names| {
            let named =
                names.into_iter().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() });
            named.collect()
        });
        self.call(MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() }, 12)
    }
}

fn connect_to(address: &str) -> Result<TcpStream> {
    use std::net::ToSocketAddrs;
    let mut last = None;
    for resolved in address.to_socket_addrs().context("not HOST:PORT")? {
        match TcpStream::connect_timeout(&resolved, CONNECT) {
            Ok(socket) => {
                socket.set_read_timeout(Some(ANSWER))?;
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| anyhow::anyhow!("the name has no address"), Into::into))
}
