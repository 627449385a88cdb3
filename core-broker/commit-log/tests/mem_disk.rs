//! The disk in memory loses and keeps what a real one would.

use std::path::Path;

use commit_log::{Disk, DiskFile, MemDisk};

fn dir() -> &'static Path {
    Path::new("d")
}

fn disk_with(bytes: &[u8]) -> (MemDisk, commit_log::MemFile) {
    let disk = MemDisk::new();
    disk.create_dir_all(dir()).unwrap();
    let file = disk.create(&dir().join("f")).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(dir()).unwrap();
    (disk, file)
}

fn found(disk: &MemDisk, name: &str) -> Option<Vec<u8>> {
    disk.bytes(&dir().join(name))
}

#[test]
fn a_power_cut_spares_what_was_synced() {
    let (disk, file) = disk_with(b"old");
    file.write_at(b"NEW!", 0).unwrap();
    assert_eq!(found(&disk, "f").unwrap(), b"NEW!");
    assert_eq!(found(&disk.crash(0), "f").unwrap(), b"old");
    assert_eq!(found(&disk.crash(1), "f").unwrap(), b"NEW!");
    file.sync_data().unwrap();
    assert_eq!(found(&disk.crash(0), "f").unwrap(), b"NEW!");
}

#[test]
fn a_name_is_durable_only_after_a_sync_of_its_folder() {
    let (disk, _) = disk_with(b"x");
    let file = disk.create(&dir().join("g")).unwrap();
    file.write_at(b"y", 0).unwrap();
    file.sync_data().unwrap();
    disk.rename(&dir().join("f"), &dir().join("h")).unwrap();
    assert_eq!(disk.crash(0).list(dir()).unwrap(), ["f"]);
    assert_eq!(disk.crash(1).list(dir()).unwrap(), ["g", "h"]);
    disk.sync_dir(dir()).unwrap();
    assert_eq!(disk.crash(0).list(dir()).unwrap(), ["g", "h"]);
    disk.remove(&dir().join("g")).unwrap();
    assert_eq!(disk.crash(0).list(dir()).unwrap(), ["g", "h"]);
}

#[test]
fn seeds_tear_an_unsynced_write_in_many_ways() {
    let (disk, file) = disk_with(&[1; 100]);
    file.write_at(&[2; 2000], 100).unwrap();
    let outcomes: std::collections::BTreeSet<Vec<u8>> =
        (2..50).map(|seed| found(&disk.crash(seed), "f").unwrap()).collect();
    assert!(outcomes.len() > 10, "{} outcomes", outcomes.len());
    assert!(outcomes.iter().all(|bytes| bytes.starts_with(&[1; 100])), "what was synced is whole");
    assert!(outcomes.iter().any(|bytes| bytes.len() == 2100 && bytes.contains(&0)), "a hole");
    assert!(outcomes.iter().any(|bytes| (101..2099).contains(&bytes.len())), "a cut");
    assert_eq!(found(&disk.crash(7), "f"), found(&disk.crash(7), "f"), "the same seed, the same disk");
}

#[test]
fn a_failed_sync_drops_what_it_was_asked_for() {
    let (disk, file) = disk_with(b"");
    file.write_at(b"lost", 0).unwrap();
    disk.fail_sync(1, 5);
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
    file.write_at(b"kept", 4).unwrap();
    file.sync_data().unwrap();
    assert_eq!(found(&disk, "f").unwrap(), b"lostkept");
    assert_eq!(found(&disk.crash(0), "f").unwrap(), b"\0\0\0\0kept");
}

#[test]
fn a_full_disk_takes_what_fits() {
    let (disk, file) = disk_with(b"1234");
    disk.set_capacity(Some(6));
    assert_eq!(file.write_at(b"5678", 4).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(found(&disk, "f").unwrap(), b"123456");
    file.write_at(b"ABC", 0).unwrap();
}

#[test]
fn nothing_works_after_the_power_is_cut() {
    let (disk, file) = disk_with(b"1234");
    disk.cut_power_at(disk.operations() + 1);
    assert!(file.write_at(b"5", 4).is_err());
    assert!(file.read_at(&mut [0], 0).is_err());
    assert!(disk.list(dir()).is_err());
    assert!(disk.crash(0).list(dir()).is_ok());
}
