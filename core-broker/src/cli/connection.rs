//! One connection to one broker: a request at a time, each in the highest version that both know.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    ops::RangeInclusive,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use kafka_wire::{
    ApiKey, Call, ErrorCode, Request, Response, decode_response, encode_request, frame::take_frame,
    messages::api_versions::ApiVersionsRequest,
};

const CONNECT: Duration = Duration::from_secs(10);

/// Longer than any wait that the commands ask a broker for.
const ANSWER: Duration = Duration::from_secs(70);

/// A fetch answers with at most 55 MiB.
const MAX_ANSWER_BYTES: usize = 64 << 20;

pub struct Connection {
    socket: TcpStream,
    client_id: String,
    buffer: BytesMut,
    next_id: i32,
    /// What the broker serves, by API key.
    served: BTreeMap<i16, RangeInclusive<i16>>,
}

impl Connection {
    /// Connects to `HOST:PORT` and asks what is served there.
    pub fn open(address: &str, client_id: &str) -> Result<Self> {
        let mut connection = Self {
            socket: connect(address)?,
            client_id: client_id.to_owned(),
            buffer: BytesMut::new(),
            next_id: 0,
            served: BTreeMap::new(),
        };
        connection
            .learn_versions()
            .with_context(|| format!("{address} does not answer as a Kafka broker"))?;
        Ok(connection)
    }

    /// Sends a request and waits for its answer.
    pub fn call<C: Call>(&mut self, request: C) -> Result<C::Response> {
        self.call_up_to(request, i16::MAX)
    }

    /// As [`call`](Self::call), in no version above `limit`: for a request that says the same thing by other
    /// fields from some version on.
    pub fn call_up_to<C: Call>(&mut self, request: C, limit: i16) -> Result<C::Response> {
        let version = self
            .version(C::API, limit)
            .with_context(|| format!("the broker and this tool share no version of {:?}", C::API))?;
        self.exchange(request, version)
    }

    /// Whether the broker and this tool share a version.
    pub fn serves(&self, api: ApiKey) -> bool {
        self.version(api, i16::MAX).is_some()
    }

    /// The highest version that both know, up to `limit`.
    pub fn version(&self, api: ApiKey, limit: i16) -> Option<i16> {
        let (ours, theirs) = (api.versions(), self.served.get(&api.code())?);
        let highest = limit.min(*ours.end()).min(*theirs.end());
        (highest >= *ours.start() && highest >= *theirs.start()).then_some(highest)
    }

    fn learn_versions(&mut self) -> Result<()> {
        let ask = || ApiVersionsRequest {
            client_software_name: "core-broker".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut answer = self.exchange(ask(), *ApiKey::ApiVersions.versions().end())?;
        if answer.error_code == ErrorCode::UnsupportedVersion {
            answer = self.exchange(ask(), 0)?;
        }
        ensure!(answer.error_code.is_ok(), "ApiVersions: {}", answer.error_code);
        self.served =
            answer.api_keys.into_iter().map(|api| (api.api_key, api.min_version..=api.max_version)).collect();
        Ok(())
    }

    fn exchange<C: Call>(&mut self, request: C, version: i16) -> Result<C::Response> {
        self.next_id = self.next_id.wrapping_add(1);
        let request: Request = request.into();
        for chunk in encode_request(&request, version, self.next_id, Some(&self.client_id))? {
            self.socket.write_all(&chunk).context("the broker closed the connection")?;
        }
        loop {
            if let Some(frame) = take_frame(&mut self.buffer, MAX_ANSWER_BYTES)? {
                let (id, response): (i32, Response) = decode_response(frame, C::API, version)?;
                ensure!(id == self.next_id, "the broker answered request {id} instead of {}", self.next_id);
                return C::Response::try_from(response).context("the broker answered another request");
            }
            let mut chunk = [0; 64 << 10];
            match self.socket.read(&mut chunk).context("no answer")? {
                0 => bail!("the broker closed the connection"),
                count => self.buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

fn connect(address: &str) -> Result<TcpStream> {
    let mut last = None;
    for resolved in
        address.to_socket_addrs().with_context(|| format!("no address is found for the host of {address}"))?
    {
        match TcpStream::connect_timeout(&resolved, CONNECT) {
            Ok(socket) => {
                socket.set_read_timeout(Some(ANSWER))?;
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = Some(error),
        }
    }
    let error = last.map_or_else(|| anyhow::anyhow!("the name has no address"), Into::into);
    Err(error.context(format!("no broker answers at {address}")))
}
