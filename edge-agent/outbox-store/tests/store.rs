//! The store on a real file: order, damage, quarantine, bytes written.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests of a storage crate

use bytes::Bytes;
use outbox_store::{Block, Lane, Op, OpenError, ReadBlock, Store, StoreConfig, StoreError};
use tempfile::TempDir;

fn config() -> StoreConfig {
    StoreConfig { agent_id: "gateway-7".into(), ..StoreConfig::default() }
}

fn lane() -> Op {
    Op::CreateLane { lane: 0, what: Lane { topic: "trucks_gps".into(), partition: 3, class: 1 } }
}

fn marked(base_sequence: i32, mark: u8) -> Block {
    Block {
        base_sequence,
        count: 10,
        codec: 4,
        base_timestamp_ms: 1_700_000_000_000,
        max_timestamp_ms: 1_700_000_000_900,
        raw_bytes: 30_000,
        section: Bytes::from(vec![mark; 5000]),
    }
}

/// A file with three blocks, closed.
fn three_blocks(folder: &TempDir) -> std::path::PathBuf {
    let path = folder.path().join("outbox.redb");
    let (mut store, _) = Store::open(&path, &config()).unwrap();
    let append = |n: u8| Op::Append { lane: 0, block: marked(i32::from(n) * 10, n) };
    store.commit(&[lane(), append(0), append(1)]).unwrap();
    store.commit(&[append(2)]).unwrap();
    store.close().unwrap();
    path
}

fn flip_in(path: &std::path::Path, pattern: &[u8]) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(pattern.len()).position(|window| window == pattern).expect("the pattern is there");
    bytes[at + 1] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn blocks_come_back_in_order_and_within_the_bounds_asked_for() {
    let folder = TempDir::new().unwrap();
    let path = three_blocks(&folder);
    let (store, loaded) = Store::open(&path, &config()).unwrap();
    assert_eq!((loaded.boot, loaded.agent_id.as_str()), (2, "gateway-7"));
    let reader = store.reader();
    let numbers = |from, max_blocks, max_bytes| -> Vec<u64> {
        reader.read_blocks(0, from, max_blocks, max_bytes).unwrap().iter().map(ReadBlock::number).collect()
    };
    let table: [(u64, usize, usize, &[u64]); 6] = [
        (0, 5, usize::MAX, &[0, 1, 2]),
        (1, 5, usize::MAX, &[1, 2]),
        (0, 2, usize::MAX, &[0, 1]),
        (0, 5, 1, &[0]),
        (0, 5, 10_072, &[0, 1]),
        (3, 5, usize::MAX, &[]),
    ];
    for (from, max_blocks, max_bytes, expected) in table {
        assert_eq!(numbers(from, max_blocks, max_bytes), expected, "{from} {max_blocks} {max_bytes}");
    }
    assert!(reader.read_blocks(1, 0, 5, usize::MAX).unwrap().is_empty());
}

#[test]
fn a_damaged_block_is_a_gap_and_its_neighbours_are_whole() {
    let folder = TempDir::new().unwrap();
    let path = three_blocks(&folder);
    flip_in(&path, &[1; 200]);
    let (mut store, loaded) = Store::open(&path, &config()).unwrap();
    assert_eq!(loaded.quarantined, None);
    let read = store.reader().read_blocks(0, 0, 5, usize::MAX).unwrap();
    assert_eq!(read[0], ReadBlock::Block { number: 0, block: marked(0, 0) });
    assert_eq!(read[1], ReadBlock::Damaged { number: 1 });
    assert_eq!(read[2], ReadBlock::Block { number: 2, block: marked(20, 2) });
    let left = store.commit(&[Op::Forget { lane: 0, through_block: 2 }]).unwrap();
    assert_eq!((left.stored_bytes, left.stored_events), (0, 0));
}

#[test]
fn a_damaged_session_is_left_out_and_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("outbox.redb");
    let (mut store, _) = Store::open(&path, &config()).unwrap();
    let put = |client_id: &str, record: &'static [u8]| Op::PutSession {
        client_id: client_id.into(),
        record: Bytes::from_static(record),
    };
    store.commit(&[put("truck-1", b"first session"), put("truck-2", b"other session")]).unwrap();
    store.close().unwrap();
    flip_in(&path, b"first session");
    let (_store, loaded) = Store::open(&path, &config()).unwrap();
    assert_eq!(loaded.sessions, [("truck-2".into(), Bytes::from_static(b"other session"))]);
    assert_eq!(loaded.damaged, ["sessions truck-1"]);
}

#[test]
fn a_file_that_cannot_be_understood_is_put_aside_and_a_fresh_one_started() {
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let table: [(&str, Damage); 4] = [
        ("truncated", |bytes| bytes[..bytes.len() / 3].to_vec()),
        ("another file", |bytes| vec![b'x'; bytes.len()]),
        ("magic number", |mut bytes| {
            bytes[0] ^= 1;
            bytes
        }),
        ("only zeros", |bytes| vec![0; bytes.len()]),
    ];
    for (name, damage) in table {
        let folder = TempDir::new().unwrap();
        let path = three_blocks(&folder);
        for n in 1..=2 {
            let damaged = damage(std::fs::read(&path).unwrap());
            std::fs::write(&path, &damaged).unwrap();
            let (mut store, loaded) =
                Store::open(&path, &config()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let aside = loaded.quarantined.unwrap_or_else(|| panic!("{name}: not quarantined"));
            assert_eq!(aside.path, folder.path().join(format!("outbox.redb.quarantine-{n}")), "{name}");
            assert_eq!(std::fs::read(&aside.path).unwrap(), damaged, "{name}: kept as it was");
            assert_eq!((loaded.boot, loaded.lanes.len()), (1, 0), "{name}");
            store.commit(&[lane()]).unwrap();
            store.close().unwrap();
        }
    }
}

#[test]
fn a_flipped_bit_is_never_a_crash_loop() {
    let folder = TempDir::new().unwrap();
    let whole = std::fs::read(three_blocks(&folder)).unwrap();
    let path = folder.path().join("damaged.redb");
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    // The two headers byte by byte, the rest in steps that share no factor with a page.
    let places = (0..320).step_by(23).chain((320..used).step_by(20_011));
    for at in places {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        for verify in [false, true] {
            std::fs::write(&path, &bytes).unwrap();
            let (mut store, loaded) = Store::open(&path, &StoreConfig { verify, ..config() })
                .unwrap_or_else(|error| panic!("byte {at}: {error}"));
            for lane in &loaded.lanes {
                let _ = store.reader().read_blocks(lane.id, 0, 100, usize::MAX);
            }
            let _ = store.commit(&[Op::PutDownlink { delivery: 1, message: Bytes::new() }]);
            drop(store);
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_file(folder.path().join("damaged.redb.quarantine-1"));
        }
    }
}

#[test]
fn a_later_format_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("outbox.redb");
    let table: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("meta");
    let db = redb::Database::create(&path).unwrap();
    let txn = db.begin_write().unwrap();
    let mut sealed = vec![1];
    sealed.extend_from_slice(&crc32c::crc32c(&9u32.to_le_bytes()).to_le_bytes());
    sealed.extend_from_slice(&9u32.to_le_bytes());
    txn.open_table(table).unwrap().insert("format", sealed.as_slice()).unwrap();
    txn.commit().unwrap();
    drop(db);
    let refused = Store::open(&path, &config());
    assert!(matches!(refused, Err(OpenError::LaterFormat { found: 9, known: 1 })), "{refused:?}");
    assert!(path.exists());
}

#[test]
fn one_process_has_the_file() {
    let folder = TempDir::new().unwrap();
    let path = three_blocks(&folder);
    let (_store, _) = Store::open(&path, &config()).unwrap();
    assert!(matches!(Store::open(&path, &config()), Err(OpenError::InUse(_))));
}

#[test]
fn a_broken_promise_is_refused_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    let path = three_blocks(&folder);
    let (mut store, _) = Store::open(&path, &config()).unwrap();
    let huge = Block { section: Bytes::from(vec![0; 65_000]), ..marked(30, 3) };
    let table = [
        ("twice the same lane", lane()),
        ("no such lane", Op::Append { lane: 9, block: marked(0, 0) }),
        ("a sequence left out", Op::Append { lane: 0, block: marked(40, 4) }),
        ("a sequence again", Op::Append { lane: 0, block: marked(20, 2) }),
        ("too large", Op::Append { lane: 0, block: huge }),
        ("forgets what is not there", Op::Forget { lane: 0, through_block: 3 }),
    ];
    for (name, op) in table {
        let before = store.written();
        let batch = [Op::PutDownlink { delivery: 1, message: Bytes::new() }, op];
        assert!(matches!(store.commit(&batch), Err(StoreError::BadBatch(_))), "{name}");
        assert_eq!(store.written(), before, "{name}");
    }
    store.commit(&[Op::Append { lane: 0, block: marked(30, 3) }]).unwrap();
}

#[test]
fn reads_go_on_while_the_writer_writes() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = Store::open(&folder.path().join("outbox.redb"), &config()).unwrap();
    store.commit(&[lane()]).unwrap();
    let reader = store.reader();
    let reading = std::thread::spawn(move || {
        let mut seen = 0;
        while seen < 50 {
            let blocks = reader.read_blocks(0, seen, 5, usize::MAX).unwrap();
            for block in blocks {
                assert_eq!(block.number(), seen, "no gap, no step back");
                seen += 1;
            }
            std::thread::yield_now();
        }
    });
    for n in 0..50 {
        store.commit(&[Op::Append { lane: 0, block: marked(n * 10, n as u8) }]).unwrap();
    }
    reading.join().unwrap();
}

#[test]
fn what_goes_to_the_flash_is_counted() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = Store::open(&folder.path().join("outbox.redb"), &config()).unwrap();
    let before = store.written();
    store.commit(&[lane(), Op::Append { lane: 0, block: marked(0, 0) }]).unwrap();
    let after = store.written();
    assert_eq!(after.commits, before.commits + 1);
    assert!(after.syncs > before.syncs);
    assert!(after.bytes >= before.bytes + 5000, "{after:?}");
}
