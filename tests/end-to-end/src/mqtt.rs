//! A device that is made of bytes: it says exactly what a test wants it to say, legal or not.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

const ANSWER: Duration = Duration::from_secs(20);

pub const V3_1_1: u8 = 4;
pub const V5: u8 = 5;

pub struct Device {
    pub socket: TcpStream,
    version: u8,
    next_id: u16,
}

/// A packet of the broker: its first byte, and what follows the length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

impl Device {
    /// Connected and greeted.
    pub fn connect(address: SocketAddr, version: u8, client_id: &str) -> Result<Self> {
        let socket = open(address)?;
        let mut device = Self { socket, version, next_id: 0 };
        device.send(&connect(version, client_id))?;
        let connack = device.receive()?;
        ensure!(connack.first == 0x20 && connack.body.get(1) == Some(&0), "refused: {connack:?}");
        Ok(device)
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.socket.write_all(bytes)?)
    }

    /// A publish with QoS 1; its packet id.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) -> Result<u16> {
        self.next_id = self.next_id % u16::MAX + 1;
        let packet = publish(self.version, topic, self.next_id, payload);
        self.send(&packet)?;
        Ok(self.next_id)
    }

    /// The id of the next PUBACK and its reason, 0 for success.
    pub fn acknowledged(&mut self) -> Result<(u16, u8)> {
        let packet = self.receive()?;
        let [high, low, rest @ ..] = packet.body.as_slice() else { bail!("no PUBACK: {packet:?}") };
        ensure!(packet.first == 0x40, "not a PUBACK: {packet:?}");
        Ok((u16::from_be_bytes([*high, *low]), rest.first().copied().unwrap_or(0)))
    }

    pub fn publish_and_wait(&mut self, topic: &str, payload: &[u8]) -> Result<u8> {
        let id = self.publish(topic, payload)?;
        let (acknowledged, reason) = self.acknowledged()?;
        ensure!(id == acknowledged, "published {id}, acknowledged {acknowledged}");
        Ok(reason)
    }

    /// Publishes everything, a few at a time; the payloads whose PUBACK came before the connection ended or
    /// fell silent for so long.
    pub fn publish_all(
        &mut self,
        topic: &str,
        payloads: &[Vec<u8>],
        silence: Duration,
    ) -> Result<BTreeSet<Vec<u8>>> {
        const WINDOW: usize = 32;
        self.socket.set_read_timeout(Some(silence))?;
        let mut acknowledged = BTreeSet::new();
        for window in payloads.chunks(WINDOW) {
            let mut ids = Vec::new();
            for payload in window {
                match self.publish(topic, payload) {
                    Ok(id) => ids.push((id, payload)),
                    Err(_) => return Ok(acknowledged),
                }
            }
            for _ in 0..ids.len() {
                let Ok((id, _)) = self.acknowledged() else { return Ok(acknowledged) };
                let (_, payload) = ids.iter().find(|(sent, _)| *sent == id).context("a foreign PUBACK")?;
                acknowledged.insert((*payload).clone());
            }
        }
        Ok(acknowledged)
    }

    pub fn ping(&mut self) -> Result<()> {
        self.send(&[0xc0, 0])?;
        let answer = self.receive()?;
        ensure!(answer.first == 0xd0, "not a PINGRESP: {answer:?}");
        Ok(())
    }

    pub fn receive(&mut self) -> Result<Packet> {
        let mut first = [0];
        self.socket.read_exact(&mut first).context("no packet came")?;
        let mut length = 0usize;
        for shift in [0, 7, 14, 21] {
            let mut byte = [0];
            self.socket.read_exact(&mut byte)?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                let mut body = vec![0; length];
                self.socket.read_exact(&mut body)?;
                return Ok(Packet { first: first[0], body });
            }
        }
        bail!("a length of more than four bytes")
    }
}

pub fn open(address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.set_write_timeout(Some(ANSWER))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Whether the other side hangs up within the time for an answer, whatever it says before.
pub fn is_closed_by_peer(socket: &mut TcpStream) -> bool {
    let mut sink = [0; 4096];
    loop {
        match socket.read(&mut sink) {
            Ok(0) => return true,
            Ok(_) => continue,
            Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

/// CONNECT with a clean start and a keep-alive of a minute.
pub fn connect(version: u8, client_id: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', version, 0b10, 0, 60];
    if version == V5 {
        body.push(0);
    }
    put_text(&mut body, client_id);
    packet(0x10, &body)
}

pub fn publish(version: u8, topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    put_text(&mut body, topic);
    body.extend(id.to_be_bytes());
    if version == V5 {
        body.push(0);
    }
    body.extend(payload);
    packet(0x32, &body)
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text.as_bytes());
}
