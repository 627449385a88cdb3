//! Every API in every version that is served, damaged in every way that a client can think of.

use std::{net::SocketAddr, ops::RangeInclusive};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use end_to_end::{Process, kafka::Client, scene};
use kafka_wire::{
    ApiKey, ErrorCode, RequestError,
    damage::{LIES, UNKNOWN_TAGS, overwritten, places},
    decode_request,
    messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse},
    sample::request_frame,
};

use super::neighbour::Neighbour;
use crate::hostile::{Memory, noise};

/// Connections that are open at a time.
const AT_ONCE: usize = 100;

/// A small message of each kind, and one that has a little of everything.
const SMALL: &[u8] = &[];
const MIXED: u64 = 11;
const MIXED_BYTES: usize = 60;

#[test]
fn frames_that_are_cut_or_lie_close_their_connection_and_no_other() {
    beside_a_neighbour(|address, _| {
        let served = served(address)?;
        let mut damaged = Vec::new();
        for (api, versions) in &served {
            for version in versions.clone() {
                let frame = request_frame(*api, version, SMALL);
                damaged.extend((0..frame.len()).map(|cut| frame.slice(..cut)));
            }
            // The codec's own tests have the other versions.
            let frame = request_frame(*api, *versions.end(), &noise(MIXED, MIXED_BYTES));
            damaged.extend(
                places(&frame)
                    .flat_map(|at| LIES.iter().map(move |lie| (at, *lie)))
                    .map(|(at, lie)| overwritten(&frame, at, lie)),
            );
        }
        let refused: Vec<Bytes> = damaged.iter().filter(|frame| is_refused(frame)).cloned().collect();
        println!("{} of {} frames cannot be read", refused.len(), damaged.len());
        check_each_is_closed(address, &refused)
    });
}

#[test]
fn any_message_is_answered_or_its_connection_closed() {
    beside_a_neighbour(|address, _| {
        for (api, versions) in served(address)? {
            for version in versions {
                let mut connections = Vec::new();
                for seed in 1..4 {
                    let frame = request_frame(api, version, &noise(seed * 1_000 + version as u64, 300));
                    for message in [frame.clone(), overwritten(&frame, frame.len() / 2, LIES[seed as usize])]
                    {
                        let mut client = Client::connect(address)?;
                        client.send(&framed(&message))?;
                        connections.push(client);
                    }
                }
                // Some of these are answered later, such as a join; nobody waits for them.
            }
        }
        Ok(())
    });
}

#[test]
fn trap_3_tags_in_any_order_and_bytes_after_a_message_change_nothing() {
    beside_a_neighbour(|address, _| {
        for (api, versions) in served(address)? {
            for version in versions {
                // A produce of nothing without acks has no answer.
                if api == ApiKey::Produce {
                    continue;
                }
                let frame = request_frame(api, version, SMALL);
                let mut client = Client::connect(address)?;
                let mut check = |what: &str, frame: &[u8]| {
                    client.send(&framed(frame))?;
                    let answer =
                        client.receive()?.with_context(|| format!("{api:?} {version} {what}: closed"))?;
                    ensure!(answer.starts_with(&77i32.to_be_bytes()), "{api:?} {version} {what}: {answer:?}");
                    anyhow::Ok(answer)
                };
                check("as it is", &frame)?;
                check("with more behind it", &[&frame, &noise(3, 20)[..]].concat())?;
                // Where a message has tags of its own, the codec's tests have the bytes.
                let has_own_tags = matches!(api, ApiKey::Fetch | ApiKey::ApiVersions);
                if api.is_flexible(version) && !has_own_tags {
                    let (end, rest) = frame.split_last().context("an empty frame")?;
                    ensure!(*end == 0, "{api:?} {version} ends without tags");
                    check("with tags in the wrong order", &[rest, UNKNOWN_TAGS].concat())?;
                }
            }
        }
        Ok(())
    });
}

#[test]
fn trap_24_versions_and_keys_that_are_not_served_close_the_connection() {
    beside_a_neighbour(|address, broker| {
        let mut refused = Vec::new();
        let header = |key: i16, version: i16| {
            Bytes::from([&key.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 77, 0, 1, b'x']].concat())
        };
        let served = served(address)?;
        for (api, versions) in &served {
            if *api != ApiKey::ApiVersions {
                let (first, last) = (*versions.start(), *versions.end());
                refused.extend(
                    [i16::MIN, first - 1, last + 1, i16::MAX].map(|version| header(api.code(), version)),
                );
            }
        }
        // Listed, so that old librdkafka compresses, and refused when they come.
        refused.extend((0..3).map(|version| header(ApiKey::Produce.code(), version)));
        let is_served = |key: i16| served.iter().any(|(api, _)| api.code() == key);
        let keys = (-2..120).chain([i16::MIN, i16::MAX, 999]).filter(|key| !is_served(*key));
        refused.extend(keys.map(|key| header(key, 0)));
        check_each_is_closed(address, &refused)?;
        let told = broker.log().lines().filter(|line| line.contains("closed the connection")).count();
        ensure!((1..=3).contains(&told), "the log told {told} of {} times", refused.len());
        Ok(())
    });
}

#[test]
fn trap_1_an_unknown_version_of_api_versions_is_answered_in_version_0_with_what_there_is() {
    beside_a_neighbour(|address, _| {
        for version in [5, 99, -1, i16::MAX, i16::MIN] {
            let mut client = Client::connect(address)?;
            // Kafka 4.4 sends version 5 with fields that nobody here knows.
            let unknown =
                [&[0, 18][..], &version.to_be_bytes(), &[0, 0, 0, 1, 0, 1, b'x', 0, 2, b'x', 2, b'1', 0]];
            client.send(&framed(&unknown.concat()))?;
            let answer = client.receive()?.context("closed")?;
            let (id, answer) = kafka_wire::decode_response(answer, ApiKey::ApiVersions, 0)?;
            let answer = ApiVersionsResponse::try_from(answer)?;
            ensure!(id == 1 && answer.error_code == ErrorCode::UnsupportedVersion, "{answer:?}");
            let own = answer
                .api_keys
                .iter()
                .find(|it| it.api_key == ApiKey::ApiVersions.code())
                .context("not listed")?;
            ensure!((own.min_version, own.max_version) == (0, 4), "{own:?}");
            // The connection is kept, and the client tries again.
            let retried = client.call(named("test"), own.max_version)?;
            ensure!(retried.error_code == ErrorCode::None, "{retried:?}");
        }
        Ok(())
    });
}

/// Runs an attack beside somebody who does nothing wrong; the broker lives, and has not grown.
fn beside_a_neighbour(attack: impl FnOnce(SocketAddr, &Process) -> Result<()>) {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let neighbour = Neighbour::beside(scene.kafka)?;
        let memory = Memory::of(&broker)?;
        attack(scene.kafka, &broker)?;
        neighbour.was_served()?;
        memory.check(&mut broker)?;
        broker.stop()
    });
}

#[test]
fn trap_1_software_without_a_proper_name_is_told_so() {
    beside_a_neighbour(|address, _| {
        let mut client = Client::connect(address)?;
        for (name, error) in
            [("", ErrorCode::InvalidRequest), ("-!", ErrorCode::InvalidRequest), ("kcat", ErrorCode::None)]
        {
            let answer = client.call(named(name), 3)?;
            ensure!(answer.error_code == error, "{name:?}: {answer:?}");
        }
        Ok(())
    });
}

fn named(software: &str) -> ApiVersionsRequest {
    ApiVersionsRequest { client_software_name: software.into(), client_software_version: "1.0".into() }
}

/// What the broker says that it serves, in the versions that the codec reads.
fn served(address: SocketAddr) -> Result<Vec<(ApiKey, RangeInclusive<i16>)>> {
    let answer = Client::connect(address)?.call(named("test"), 3)?;
    let listed = answer.api_keys.iter().map(|listed| {
        let api =
            ApiKey::from_code(listed.api_key).with_context(|| format!("{listed:?} is not in the codec"))?;
        ensure!(api.advertised_versions() == (listed.min_version..=listed.max_version), "{listed:?}");
        Ok((api, api.versions()))
    });
    listed.collect()
}

/// What is another message by chance is not damaged, and ApiVersions in a version of the future is answered.
fn is_refused(frame: &Bytes) -> bool {
    match decode_request(frame.clone()) {
        Ok(_) => false,
        Err(RequestError::UnsupportedVersion { header }) => header.api != ApiKey::ApiVersions,
        Err(_) => true,
    }
}

fn check_each_is_closed(address: SocketAddr, frames: &[Bytes]) -> Result<()> {
    for frames in frames.chunks(AT_ONCE) {
        let mut clients = Vec::new();
        for frame in frames {
            let mut client = Client::connect(address)?;
            client.send(&framed(frame))?;
            clients.push(client);
        }
        for (client, frame) in clients.iter_mut().zip(frames) {
            let answer = client.receive().with_context(|| format!("{frame:?}: the connection stays open"))?;
            ensure!(answer.is_none(), "{frame:?}: answered with {answer:?}");
        }
    }
    Ok(())
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes()[..], frame].concat()
}
