//! From a frame to its answer: when it is decoded, where it is worked on, and what memory it takes meanwhile.

use std::{future::pending, pin::Pin, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use commit_log::{RealFile, Slice};
use kafka_wire::{
    ApiKey, Request, RequestError, RequestHeader, Response, Undecoded, decode_header, encode_response_parts,
    messages::produce::{ProduceRequest, ProduceResponse},
};
use tokio::runtime::Handle;

use super::{
    answers::Flow,
    api_versions,
    connection::Client,
    connections::{Connections, SMALL_BYTES},
    handlers::{Made, handle},
    memory::Share,
    produce,
    send::{self, Piece},
};
use crate::{broker::Shared, metrics::Timer, partition::blocking};

/// A produce of more partitions is the only request of its connection that is worked on: a partition takes
/// eight bytes to name, and many times as much until it is answered.
const FEW_PARTITIONS: usize = 100;

/// What a request comes to.
pub struct Answered {
    /// `None`: no answer (acks=0).
    pub pieces: Option<Vec<Piece>>,
    /// How long the client is not listened to from then on.
    pub throttle: Duration,
    /// The memory that a large one takes until it is sent.
    pub share: Option<Share>,
}

pub type Answer = Pin<Box<dyn Future<Output = anyhow::Result<Answered>> + Send>>;

/// Starts a request. An error closes the connection, as Kafka does with what it cannot read.
pub async fn start(
    shared: &Arc<Shared>,
    client: &Client,
    flow: &Arc<Flow>,
    frame: Bytes,
) -> anyhow::Result<Answer> {
    let frame_bytes = frame.len();
    let request = match decode_header(frame) {
        Ok(request) => request,
        // KIP-511: a client that is newer than we are learns in version 0 what we speak.
        Err(RequestError::UnsupportedVersion { header }) if header.api == ApiKey::ApiVersions => {
            let response = Response::ApiVersions(api_versions::unsupported_version());
            let pieces = Some(encode(&response, Vec::new(), 0, header.correlation_id)?);
            return Ok(Box::pin(
                async move { Ok(Answered { pieces, throttle: Duration::ZERO, share: None }) },
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let api = request.header.api;
    if !api_versions::SERVED.contains(&api) {
        bail!("{api:?} is not served");
    }
    let timer = shared.metrics.request_received(api);
    let shared = shared.clone();
    let client = client.clone();

    if api == ApiKey::Produce {
        timer.begun();
        // Decoded as soon as it is read: the next request may not overtake it.
        let (mut header, mut produce) = decode_produce(request.clone())?;
        let mut room = None;
        if partitions(&produce) > FEW_PARTITIONS {
            drop(produce);
            flow.answered().await;
            room = shared.connections.room_to_decode(frame_bytes).await;
            (header, produce) = decode_produce(request)?;
        }
        let RequestHeader { version, correlation_id, client_id, .. } = header;
        let client_id = client_id.unwrap_or_default();
        let throttle = shared.connections.produced(&client_id, frame_bytes);
        let connections = shared.connections.clone();
        let produced = produce::start(shared, version, produce).await?;
        return Ok(Box::pin(async move {
            let _room = room;
            let response = produced.await?.map(|response| {
                Response::Produce(ProduceResponse { throttle_time_ms: milliseconds(throttle), ..response })
            });
            timer.answered(response.as_ref());
            let Some(response) = response else {
                return Ok(Answered { pieces: None, throttle, share: None });
            };
            let pieces = encode(&response, Vec::new(), version, correlation_id)?;
            drop(response);
            with_share(&connections, pieces, throttle).await
        }));
    }
    let flow = flow.clone();
    Ok(Box::pin(async move {
        let work = Work { shared, client, timer, request, frame_bytes };
        match way(api, frame_bytes) {
            Way::AtOnce => work.at_once(&flow).await,
            Way::InTurn => work.in_turn().await,
        }
    }))
}

/// How a request that is no produce is worked on.
enum Way {
    /// It waits more than it works, or there is little to do.
    AtOnce,
    /// It may take a processor for long, or its answer much memory: beside the async workers, a few at a time.
    InTurn,
}

fn way(api: ApiKey, frame_bytes: usize) -> Way {
    match api {
        // They wait for others, however large they are.
        ApiKey::Fetch | ApiKey::JoinGroup | ApiKey::SyncGroup => Way::AtOnce,
        ApiKey::ApiVersions
        | ApiKey::DescribeCluster
        | ApiKey::FindCoordinator
        | ApiKey::Heartbeat
        | ApiKey::InitProducerId
        | ApiKey::LeaveGroup
        | ApiKey::ListOffsets
        | ApiKey::Metadata
        | ApiKey::OffsetCommit
            if frame_bytes < SMALL_BYTES =>
        {
            Way::AtOnce
        }
        _ => Way::InTurn,
    }
}

/// A request and what it takes to answer it.
struct Work {
    shared: Arc<Shared>,
    client: Client,
    timer: Timer,
    request: Undecoded,
    frame_bytes: usize,
}

impl Work {
    async fn at_once(self, flow: &Flow) -> anyhow::Result<Answered> {
        let Self { shared, client, timer, request, frame_bytes } = self;
        timer.begun();
        let connections = shared.connections.clone();
        let ((header, request), room) = match frame_bytes < SMALL_BYTES {
            true => (request.decode()?, None),
            false => {
                let turn = connections.turn(request.header.api).await;
                let room = connections.room_to_decode(frame_bytes).await;
                let decoded = blocking(move || {
                    let _turn = turn;
                    request.decode()
                });
                (decoded.await?, room)
            }
        };
        let room = room.filter(|_| header.api == ApiKey::Fetch);
        // Whoever is in the way while it waits for records does not wait.
        let hurry = async {
            tokio::select! {
                () = connections.decoding_is_short(), if room.is_some() => {}
                () = connections.requests_are_short(|| flow.in_flight() > 1) => {}
            }
        };
        let made = handle(shared, &client, &header, request, hurry).await?;
        timer.answered(Some(&made.response));
        let (pieces, throttle) = written(&header, made)?;
        with_share(&connections, pieces, throttle).await
    }

    async fn in_turn(self) -> anyhow::Result<Answered> {
        let Self { shared, client, timer, request, frame_bytes } = self;
        let connections = shared.connections.clone();
        let turn = connections.turn(request.header.api).await;
        timer.begun();
        let room = connections.room_to_decode(frame_bytes).await;
        let runtime = Handle::current();
        let work = async move {
            let _held = (turn, room);
            let (header, request) = request.decode()?;
            let made = handle(shared, &client, &header, request, pending()).await?;
            timer.answered(Some(&made.response));
            written(&header, made)
        };
        let (pieces, throttle) = blocking(move || runtime.block_on(work)).await?;
        with_share(&connections, pieces, throttle).await
    }
}

fn written(header: &RequestHeader, made: Made) -> anyhow::Result<(Vec<Piece>, Duration)> {
    let Made { response, records, throttle } = made;
    Ok((encode(&response, records, header.version, header.correlation_id)?, throttle))
}

/// With the memory that it takes until it is sent. Turns are given back before this is waited for.
async fn with_share(
    connections: &Connections,
    pieces: Vec<Piece>,
    throttle: Duration,
) -> anyhow::Result<Answered> {
    let share = connections.room_to_send(&pieces).await?;
    Ok(Answered { pieces: Some(pieces), throttle, share })
}

fn decode_produce(request: Undecoded) -> anyhow::Result<(RequestHeader, ProduceRequest)> {
    match request.decode()? {
        (header, Request::Produce(request)) => Ok((header, request)),
        (header, _) => bail!("a produce was read as {:?}", header.api),
    }
}

fn partitions(request: &ProduceRequest) -> usize {
    request.topics.iter().map(|topic| topic.partitions.len()).sum()
}

/// `records` are those that the response has elsewhere.
fn encode(
    response: &Response,
    records: Vec<Slice<RealFile>>,
    version: i16,
    correlation_id: i32,
) -> anyhow::Result<Vec<Piece>> {
    let parts = encode_response_parts(response, version, correlation_id)
        .with_context(|| format!("cannot write {:?} in version {version}", response.api()))?;
    Ok(send::pieces(parts, records))
}

/// Rounded up: a client that waits as long as it was told finds itself listened to.
pub fn milliseconds(throttle: Duration) -> i32 {
    throttle.as_micros().div_ceil(1_000).try_into().unwrap_or(i32::MAX)
}
