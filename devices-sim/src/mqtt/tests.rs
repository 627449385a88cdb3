//! A device against a broker that follows a script: what it sends again, and what it counts.

use bytes::BytesMut;
use rumqttc::{ConnAck, ConnectReturnCode, PubAck, SubAck};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;

const PACKET_BYTES_MAX: usize = 64 * 1024;

/// The broker's side of one connection.
struct Connection {
    socket: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    async fn packet(&mut self) -> Packet {
        loop {
            if let Ok(packet) = Packet::read(&mut self.buffer, PACKET_BYTES_MAX) {
                return packet;
            }
            assert!(self.socket.read_buf(&mut self.buffer).await.unwrap() > 0, "the device hung up");
        }
    }

    async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, PACKET_BYTES_MAX).unwrap();
        self.socket.write_all(&bytes).await.unwrap();
    }

    /// The next publish as (seq, packet id, DUP).
    async fn fix(&mut self) -> (u64, u16, bool) {
        match self.packet().await {
            Packet::Publish(publish) => {
                assert_eq!(
                    (publish.topic.as_str(), publish.qos),
                    ("fleet/trucks/truck-001/gps", QoS::AtLeastOnce)
                );
                let fix = GpsFix::parse(&publish.payload).unwrap();
                assert!(fix.sent_at.is_some());
                (fix.seq.unwrap(), publish.pkid, publish.dup)
            }
            packet => panic!("expected a fix, not {packet:?}"),
        }
    }

    async fn subscription(&mut self) {
        match self.packet().await {
            Packet::Subscribe(subscribe) => {
                assert_eq!(subscribe.filters[0].path, "fleet/trucks/truck-001/alert");
                let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
                self.send(Packet::SubAck(SubAck::new(subscribe.pkid, vec![granted]))).await;
            }
            packet => panic!("expected a subscription, not {packet:?}"),
        }
    }

    async fn acknowledge(&mut self, id: u16) {
        self.send(Packet::PubAck(PubAck::new(id))).await;
    }
}

struct Bench {
    listener: TcpListener,
    fixes: mpsc::Sender<GpsFix>,
    reports: mpsc::Receiver<Report>,
    stop: watch::Sender<bool>,
    device: JoinHandle<()>,
}

impl Bench {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (fixes, queue) = mpsc::channel(QUEUE);
        let (report, reports) = mpsc::channel(4_096);
        let (stop, stopped) = watch::channel(false);
        let id = |text| VehicleId::new(text).unwrap();
        let identity = Identity { fleet: id("trucks"), vehicle_id: id("truck-001") };
        let broker = Address { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let device =
            tokio::spawn(run(identity, broker, Wiring { fixes: queue, reports: report, stop: stopped }));
        Self { listener, fixes, reports, stop, device }
    }

    async fn accept(&mut self, session_present: bool) -> Connection {
        let (socket, _) = self.listener.accept().await.unwrap();
        let mut connection = Connection { socket, buffer: BytesMut::new() };
        match connection.packet().await {
            Packet::Connect(connect) => {
                assert_eq!((connect.client_id.as_str(), connect.clean_session), ("truck-001", false));
                assert_eq!(connect.keep_alive, 30);
            }
            packet => panic!("expected a connect, not {packet:?}"),
        }
        connection.send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present))).await;
        connection
    }

    async fn give(&self, seqs: std::ops::Range<u64>) {
        for seq in seqs {
            let id = VehicleId::new("truck-001").unwrap();
            let mut fix = GpsFix::new(id, Timestamp::from_ms(seq as i64 * 20_000), 50.0, 8.0);
            fix.seq = Some(seq);
            self.fixes.send(fix).await.unwrap();
        }
    }

    /// Ends the device; answers with the count of published and the acknowledged seqs in order.
    async fn end(mut self) -> (usize, Vec<u64>) {
        self.stop.send(true).unwrap();
        self.device.await.unwrap();
        let (mut published, mut acknowledged) = (0, Vec::new());
        while let Some(report) = self.reports.recv().await {
            match report {
                Report::Published => published += 1,
                Report::Acknowledged { fix, .. } => acknowledged.push(fix.seq.unwrap()),
                _ => {}
            }
        }
        (published, acknowledged)
    }
}

/// The device has handled an acknowledgement when it answers the alert that came after it.
async fn settle(connection: &mut Connection) {
    let alert = Publish::new("fleet/trucks/truck-001/alert", QoS::AtLeastOnce, *b"{}");
    connection.send(Packet::Publish(Publish { pkid: 999, ..alert })).await;
    assert_eq!(connection.packet().await, Packet::PubAck(PubAck::new(999)));
}

#[tokio::test]
async fn a_lost_session_is_published_again_in_order_and_each_fix_counts_once() {
    let mut bench = Bench::new().await;
    bench.give(0..3).await;
    let mut first = bench.accept(false).await;
    first.subscription().await;
    assert_eq!(first.fix().await, (0, 1 + 1, false)); // the subscription took id 1
    assert_eq!(first.fix().await, (1, 3, false));
    assert_eq!(first.fix().await, (2, 4, false));
    first.acknowledge(2).await;
    settle(&mut first).await;
    drop(first);

    let mut second = bench.accept(false).await;
    second.subscription().await;
    let (again, then) = (second.fix().await, second.fix().await);
    assert_eq!((again.0, again.2, then.0, then.2), (1, false, 2, false));
    second.acknowledge(again.1).await;
    second.acknowledge(then.1).await;
    settle(&mut second).await;
    assert_eq!(bench.end().await, (3, vec![0, 1, 2]));
}

#[tokio::test]
async fn a_session_that_lives_on_sees_the_same_ids_again_with_dup_however_often_it_breaks() {
    let mut bench = Bench::new().await;
    bench.give(0..4).await;
    let mut connection = bench.accept(false).await;
    connection.subscription().await;
    let ids =
        [connection.fix().await, connection.fix().await, connection.fix().await, connection.fix().await];
    assert_eq!(ids.map(|(seq, ..)| seq), [0, 1, 2, 3]);
    connection.acknowledge(ids[1].1).await; // out of order
    settle(&mut connection).await;
    drop(connection);

    // Broken again in the middle of the re-send.
    let mut connection = bench.accept(true).await;
    assert_eq!(connection.fix().await, (0, ids[0].1, true));
    drop(connection);

    let mut connection = bench.accept(true).await;
    for (seq, id, _) in [ids[0], ids[2], ids[3]] {
        assert_eq!(connection.fix().await, (seq, id, true));
        connection.acknowledge(id).await;
    }
    bench.give(4..5).await;
    let (seq, id, dup) = connection.fix().await;
    assert_eq!((seq, dup), (4, false));
    connection.acknowledge(id).await;
    settle(&mut connection).await;
    assert_eq!(bench.end().await, (5, vec![1, 0, 2, 3, 4]));
}

#[tokio::test]
async fn no_more_than_a_window_is_out_and_packet_ids_never_meet() {
    let mut bench = Bench::new().await;
    let mut connection = bench.accept(false).await;
    connection.subscription().await;
    let rounds = 4 * u64::from(PACKET_IDS) / WINDOW;
    for round in 0..rounds {
        let given = round * WINDOW..(round + 1) * WINDOW;
        bench.give(given.clone()).await;
        let mut ids = Vec::new();
        for seq in given {
            let (got, id, dup) = connection.fix().await;
            assert_eq!((got, dup), (seq, false));
            ids.push(id);
        }
        if round == 0 {
            bench.give(rounds * WINDOW..rounds * WINDOW + 1).await;
            // One more than the window: the answer to the alert comes, the fix waits for the oldest.
            settle(&mut connection).await;
            connection.acknowledge(ids[0]).await;
            let (seq, id, _) = connection.fix().await;
            assert_eq!(seq, rounds * WINDOW);
            connection.acknowledge(id).await;
            ids.remove(0);
        }
        for id in ids {
            connection.acknowledge(id).await;
        }
    }
    settle(&mut connection).await;
    let (published, acknowledged) = bench.end().await;
    assert_eq!((published, acknowledged.len()), ((rounds * WINDOW + 1) as usize, published));
}

#[tokio::test]
async fn a_cab_takes_its_alerts_and_says_goodbye() {
    let mut bench = Bench::new().await;
    let mut connection = bench.accept(true).await; // the session of an earlier run
    connection.subscription().await;
    settle(&mut connection).await;
    bench.stop.send(true).unwrap();
    assert_eq!(connection.packet().await, Packet::Disconnect);
    let mut alerts = 0;
    while let Some(report) = bench.reports.recv().await {
        alerts += usize::from(matches!(report, Report::Alert { .. }));
    }
    assert_eq!(alerts, 1);
}
