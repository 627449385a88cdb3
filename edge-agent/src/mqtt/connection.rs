//! Connections of devices: bytes into packets for the sessions, packets back into bytes.

use std::{collections::BTreeMap, time::Duration};

use bytes::BytesMut;
use edge_logic::sessions::{ConnectionId, Input};
use mqtt_wire::{Limits, Packet, ProtocolVersion, decode, encode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tracing::debug;

use crate::message::Message;

/// What one read may bring.
const READ_BYTES: usize = 16 << 10;

/// Packets are joined into one write up to this.
const WRITE_BYTES: usize = 32 << 10;

/// The last words to a device may take this long to leave.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The open connections. Dropping it closes them all.
#[derive(Default)]
pub struct Connections {
    open: BTreeMap<ConnectionId, Open>,
    next: u64,
}

struct Open {
    /// Without a bound of its own: the sessions count the bytes and close a device that does not read.
    packets: mpsc::UnboundedSender<(ProtocolVersion, Packet)>,
    reading: JoinHandle<()>,
    writing: JoinHandle<()>,
}

impl Connections {
    pub fn open(
        &mut self,
        socket: TcpStream,
        mailbox: &mpsc::Sender<Message>,
        limits: Limits,
    ) -> ConnectionId {
        self.next += 1;
        let conn = ConnectionId(self.next);
        if let Err(error) = socket.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        let (reader, writer) = socket.into_split();
        let (packets, queue) = mpsc::unbounded_channel();
        let reading = tokio::spawn(read(conn, reader, mailbox.clone(), limits));
        let writing = tokio::spawn(write(conn, writer, queue, mailbox.clone()));
        self.open.insert(conn, Open { packets, reading, writing });
        conn
    }

    pub fn send(&self, conn: ConnectionId, version: ProtocolVersion, packet: Packet) {
        if let Some(open) = self.open.get(&conn) {
            // A writer that has ended reports the connection as closed by itself.
            let _ = open.packets.send((version, packet));
        }
    }

    /// Writes what was sent, then closes.
    pub fn close(&mut self, conn: ConnectionId) {
        let Some(Open { packets, reading, mut writing }) = self.open.remove(&conn) else { return };
        drop(packets);
        tokio::spawn(async move {
            if timeout(LAST_WORDS, &mut writing).await.is_err() {
                writing.abort();
            }
            reading.abort();
        });
    }

    /// The socket is gone.
    pub fn closed(&mut self, conn: ConnectionId) {
        self.open.remove(&conn);
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        for open in self.open.values() {
            open.reading.abort();
            open.writing.abort();
        }
    }
}

async fn read(conn: ConnectionId, mut socket: OwnedReadHalf, mailbox: mpsc::Sender<Message>, limits: Limits) {
    let mut buffer = BytesMut::new();
    let mut version = None;
    loop {
        loop {
            let input = match decode(&mut buffer, version, &limits) {
                Ok(Some(packet)) => {
                    if let Packet::Connect(connect) = &packet {
                        version = Some(connect.version);
                    }
                    Input::Packet { conn, packet }
                }
                Ok(None) => break,
                Err(error) => {
                    let _ = mailbox.send(Message::Mqtt(Input::Malformed { conn, error })).await;
                    return;
                }
            };
            if mailbox.send(Message::Mqtt(input)).await.is_err() {
                return;
            }
        }
        buffer.reserve(READ_BYTES);
        match socket.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let _ = mailbox.send(Message::Mqtt(Input::Closed { conn })).await;
}

async fn write(
    conn: ConnectionId,
    mut socket: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<(ProtocolVersion, Packet)>,
    mailbox: mpsc::Sender<Message>,
) {
    let mut buffer = BytesMut::new();
    while let Some((version, packet)) = queue.recv().await {
        buffer.clear();
        put(&packet, version, &mut buffer);
        while buffer.len() < WRITE_BYTES
            && let Ok((version, packet)) = queue.try_recv()
        {
            put(&packet, version, &mut buffer);
        }
        if socket.write_all(&buffer).await.is_err() {
            return; // the reader sees the same and says so
        }
        if queue.is_empty() && mailbox.send(Message::Mqtt(Input::Flushed { conn })).await.is_err() {
            return;
        }
    }
    let _ = socket.shutdown().await;
}

fn put(packet: &Packet, version: ProtocolVersion, buffer: &mut BytesMut) {
    if let Err(error) = encode(packet, version, buffer) {
        tracing::error!(?version, %error, "a packet of ours cannot be written");
    }
}
