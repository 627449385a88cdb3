//! Fetch with long poll: answered when there is enough to read, when something is wrong, or when the
//! client has waited as long as it said.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use broker_logic::{
    cluster::ClusterImage,
    fetch_session::{Key, Request, Told, TopicKey, Wanted},
    ids::{BrokerId, LeaderEpoch, Offset, TopicId},
};
use commit_log::{RealFile, Slice};
use kafka_wire::{
    ErrorCode, Records,
    messages::fetch::{
        FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
    },
    record_batch::Compression,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use super::{errors, meant};
use crate::{
    broker::Shared,
    clock,
    partition::{Partition, View, blocking},
};

/// `fetch.max.bytes` of the broker: what one answer may hold whatever the client asks for.
const MAX_BYTES: usize = 55 << 20;

/// The first version of clients that know zstd.
const ZSTD_FROM: i16 = 10;

/// A client that asks to wait for longer is answered by then, empty.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The records stay in their files until the answer is sent; each slice belongs to the next of the answer's
/// partitions that has records.
pub type Answer = (FetchResponse, Vec<Slice<RealFile>>);

/// Who waits for records goes on without them once `hurry` is ready.
pub async fn handle(
    shared: Arc<Shared>,
    listener: &str,
    version: i16,
    request: FetchRequest,
    hurry: impl Future<Output = ()>,
) -> Answer {
    tokio::pin!(hurry);
    let until = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64).min(MAX_WAIT);
    let min_bytes = request.min_bytes.max(0) as usize;
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_BYTES);
    let fetch = match shared.fetch_sessions().begin(session_request(version, request), clock::now_ms()) {
        Ok(fetch) => fetch,
        Err(error) => return refused(error.into()),
    };
    let (asked, read) = loop {
        let image = shared.image();
        let asked: Vec<Asked> = fetch
            .partitions
            .iter()
            .map(|(key, wanted)| Asked::find(&shared, &image, version, key, *wanted))
            .collect();
        // What changes from here on wakes the wait below, so nothing is missed between the two.
        let mut watched = watched(&asked);
        let read = read(&shared, &asked, max_bytes).await;
        let bytes: usize = read.iter().map(PartitionRead::bytes).sum();
        let wrong = read.iter().any(|partition| partition.data.error_code != ErrorCode::None);
        if bytes >= min_bytes || wrong || Instant::now() >= until || watched.is_empty() {
            break (asked, read);
        }
        tokio::select! {
            changed = timeout_at(until, any_change(&mut watched)) => if changed.is_err() {
                break (asked, read);
            },
            // What was accepted is answered, and at once.
            () = shared.connections.stopping() => break (asked, read),
            () = &mut hurry => break (asked, read),
        }
    };
    for (asked, read) in asked.iter().zip(&read) {
        if let Ok(partition) = &asked.found {
            partition.traffic.sent(read.bytes());
        }
    }
    let told: Vec<Told> = read.iter().map(PartitionRead::told).collect();
    let keys: Vec<Key> = fetch.partitions.iter().map(|(key, _)| key.clone()).collect();
    let finished =
        shared.fetch_sessions().finish(fetch, &told, Uuid::new_v4().as_u128() as i32, clock::now_ms());
    let answer = match finished {
        Ok(answer) => answer,
        Err(error) => return refused(error.into()),
    };
    let named = keys.into_iter().zip(read).zip(answer.named);
    let named = named.filter_map(|(partition, named)| named.then_some(partition));
    let (mut response, records) = response(named);
    response.session_id = answer.session_id;
    response.node_endpoints = hinted_leaders(&shared, listener, &response);
    (response, records)
}

fn refused(error_code: ErrorCode) -> Answer {
    (FetchResponse { error_code, ..Default::default() }, Vec::new())
}

fn session_request(version: i16, request: FetchRequest) -> Request {
    let by_id = version >= 13;
    let topic_key = |name: String, id: Uuid| {
        if by_id { TopicKey::Id(TopicId(id)) } else { TopicKey::Name(name.into()) }
    };
    let mut wanted: Vec<(Key, Wanted)> = Vec::new();
    // A partition that is named again keeps its place, and is wanted as it was named last.
    let mut places = BTreeMap::new();
    for topic in request.topics {
        let key = topic_key(topic.topic, topic.topic_id);
        for asked in topic.partitions {
            let key = Key { topic: key.clone(), partition: asked.partition };
            let last = Wanted {
                fetch_offset: Offset(asked.fetch_offset),
                max_bytes: asked.partition_max_bytes,
                current_leader_epoch: LeaderEpoch(asked.current_leader_epoch),
            };
            let place = *places.entry(key.clone()).or_insert(wanted.len());
            match wanted.get_mut(place) {
                Some((_, wanted)) => *wanted = last,
                None => wanted.push((key, last)),
            }
        }
    }
    let mut forgotten = Vec::new();
    for topic in request.forgotten_topics_data {
        let key = topic_key(topic.topic, topic.topic_id);
        let partitions = topic.partitions.into_iter();
        forgotten.extend(partitions.map(|partition| Key { topic: key.clone(), partition }));
    }
    let (session_id, epoch) = (request.session_id, request.session_epoch);
    Request { session_id, epoch, by_id, wanted, forgotten }
}

/// A partition of a request, if this broker has it.
struct Asked {
    index: i32,
    wanted: Wanted,
    found: Result<Partition, ErrorCode>,
}

impl Asked {
    fn find(shared: &Shared, image: &ClusterImage, version: i16, key: &Key, wanted: Wanted) -> Self {
        let (topic, unknown) = match &key.topic {
            TopicKey::Id(id) => (image.topic_by_id(*id), ErrorCode::UnknownTopicId),
            TopicKey::Name(name) => (image.topic(name), ErrorCode::UnknownTopicOrPartition),
        };
        let found = topic.ok_or(unknown).and_then(|topic| {
            let partition = meant::partition(shared, topic, key.partition, unknown)?;
            // KIP-110: a client of that age could not decompress what it is given.
            let is_zstd = partition.settings().compression_type == Some(Compression::Zstd);
            let is_readable = version >= ZSTD_FROM || !is_zstd;
            is_readable.then_some(partition).ok_or(ErrorCode::UnsupportedCompressionType)
        });
        Self { index: key.partition, wanted, found }
    }
}

fn watched(asked: &[Asked]) -> Vec<watch::Receiver<View>> {
    let found = asked.iter().filter_map(|asked| asked.found.as_ref().ok());
    let views = found.map(|partition| {
        let mut view = partition.view.clone();
        view.mark_unchanged();
        view
    });
    views.collect()
}

/// Until one of them moves.
async fn any_change(watched: &mut [watch::Receiver<View>]) {
    let mut changes: Vec<_> = watched.iter_mut().map(|view| Box::pin(view.changed())).collect();
    poll_fn(|context| {
        let moved = changes.iter_mut().any(|change| change.as_mut().poll(context).is_ready());
        if moved { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// What one partition says.
struct PartitionRead {
    data: PartitionData,
    records: Option<Slice<RealFile>>,
}

impl PartitionRead {
    fn bytes(&self) -> usize {
        self.records.as_ref().map_or(0, Slice::len)
    }

    fn told(&self) -> Told {
        Told {
            high_watermark: Offset(self.data.high_watermark),
            log_start: Offset(self.data.log_start_offset),
            has_records: self.records.is_some(),
            is_error: self.data.error_code != ErrorCode::None,
        }
    }
}

/// Looks at each partition in the order of the request until `max_bytes` are found.
async fn read(shared: &Shared, asked: &[Asked], max_bytes: usize) -> Vec<PartitionRead> {
    let mut read: Vec<PartitionRead> = asked.iter().map(|asked| look(shared, asked)).collect();
    let due = |(asked, read): (&Asked, &PartitionRead)| {
        let partition = asked.found.as_ref().ok()?;
        let waiting = read.data.error_code == ErrorCode::None
            && asked.wanted.fetch_offset < Offset(read.data.high_watermark);
        waiting.then(|| (partition.clone(), asked.wanted, read.data.high_watermark))
    };
    let due: Vec<_> = asked.iter().zip(&read).map(due).collect();
    if due.iter().all(Option::is_none) {
        return read;
    }
    let found = blocking(move || {
        let mut room = max_bytes;
        let mut find = |(partition, wanted, end): (Partition, Wanted, i64)| {
            let most = usize::try_from(wanted.max_bytes).unwrap_or(0).min(room);
            // The first batch of an answer comes however large it is, so that a client always gets on.
            let first = room == max_bytes;
            let slice = partition.reader().slice(wanted.fetch_offset.0, end, most, first);
            if let Ok(Some(slice)) = &slice {
                room = room.saturating_sub(slice.len());
            }
            (partition, slice)
        };
        due.into_iter().map(|due| due.map(&mut find)).collect::<Vec<_>>()
    });
    for (read, found) in read.iter_mut().zip(found.await) {
        match found {
            None | Some((_, Ok(None))) => {}
            Some((_, Ok(Some(slice)))) => {
                read.data.records = Records::elsewhere(slice.len());
                read.records = Some(slice);
            }
            Some((partition, Err(error))) => {
                tracing::warn!(partition = %partition.id, %error, "fetch failed");
                read.data.error_code = errors::read(&error);
            }
        }
    }
    read
}

/// All but the records.
fn look(shared: &Shared, asked: &Asked) -> PartitionRead {
    let index = asked.index;
    let data = match &asked.found {
        Err(error_code) => PartitionData {
            partition_index: index,
            error_code: *error_code,
            high_watermark: -1,
            ..Default::default()
        },
        Ok(partition) => {
            let view = partition.view();
            let Wanted { fetch_offset, current_leader_epoch, .. } = asked.wanted;
            let in_range = view.log_start <= fetch_offset && fetch_offset <= view.high_watermark;
            let out_of_range = (!in_range).then_some(ErrorCode::OffsetOutOfRange);
            let error = check_epoch(current_leader_epoch, view.leader_epoch).or(out_of_range);
            let error_code = error.unwrap_or(ErrorCode::None);
            PartitionData {
                partition_index: index,
                error_code,
                high_watermark: view.high_watermark.0,
                // Without transactions everything below the high watermark is stable.
                last_stable_offset: view.high_watermark.0,
                log_start_offset: view.log_start.0,
                current_leader: leader_hint(shared, error_code, view),
                ..Default::default()
            }
        }
    };
    PartitionRead { data, records: None }
}

/// KIP-951: who came with an old view of the leader hears of the right one without asking again.
fn leader_hint(shared: &Shared, error_code: ErrorCode, view: View) -> LeaderIdAndEpoch {
    match error_code {
        ErrorCode::FencedLeaderEpoch | ErrorCode::NotLeaderOrFollower => {
            LeaderIdAndEpoch { leader_id: shared.me.0, leader_epoch: view.leader_epoch.0 }
        }
        _ => LeaderIdAndEpoch::default(),
    }
}

/// Where the leaders are that the answer names.
fn hinted_leaders(shared: &Shared, listener: &str, response: &FetchResponse) -> Vec<NodeEndpoint> {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    let ids: BTreeSet<i32> = partitions.map(|it| it.current_leader.leader_id).filter(|id| *id >= 0).collect();
    let image = shared.image();
    let endpoint = |id| {
        let broker = image.broker(BrokerId(id))?;
        let endpoint = broker.endpoint(listener)?;
        let (host, port) = (endpoint.host.clone(), endpoint.port.into());
        Some(NodeEndpoint { node_id: id, host, port, rack: broker.rack.clone() })
    };
    ids.into_iter().filter_map(endpoint).collect()
}

/// Neighbours of one topic stand under its name together.
fn response(named: impl Iterator<Item = (Key, PartitionRead)>) -> Answer {
    let mut topics: Vec<(TopicKey, Vec<PartitionData>)> = Vec::new();
    let mut records = Vec::new();
    for (key, read) in named {
        records.extend(read.records);
        match topics.last_mut() {
            Some((topic, partitions)) if *topic == key.topic => partitions.push(read.data),
            _ => topics.push((key.topic, vec![read.data])),
        }
    }
    let topics = topics.into_iter().map(|(topic, partitions)| match topic {
        TopicKey::Name(name) => {
            FetchableTopicResponse { topic: name.to_string(), partitions, ..Default::default() }
        }
        TopicKey::Id(id) => FetchableTopicResponse { topic_id: id.0, partitions, ..Default::default() },
    });
    (FetchResponse { responses: topics.collect(), ..Default::default() }, records)
}

/// KIP-320: a client that knows another epoch looks again before it reads.
pub fn check_epoch(asked: LeaderEpoch, current: LeaderEpoch) -> Option<ErrorCode> {
    if asked == LeaderEpoch::UNKNOWN || asked == current {
        None
    } else if asked < current {
        Some(ErrorCode::FencedLeaderEpoch)
    } else {
        Some(ErrorCode::UnknownLeaderEpoch)
    }
}
