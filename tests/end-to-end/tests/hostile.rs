//! Any bytes on any port: the one that sends them is refused, everybody else is served as before.

mod kafka;
mod mqtt;
mod quic;

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
};

use anyhow::{Result, ensure};
use end_to_end::{Process, mqtt::is_closed_by_peer, mqtt::open};

/// What a process may have grown by when all of it is over.
const GROWTH: u64 = 64 << 20;

const IDLE_CONNECTIONS: usize = 300;

/// Its memory before the attack, and after it.
struct Memory {
    before: u64,
}

impl Memory {
    fn of(process: &Process) -> Result<Self> {
        Ok(Self { before: process.resident_bytes()? })
    }

    fn check(self, process: &mut Process) -> Result<()> {
        ensure!(process.is_alive(), "{} is dead: {}", process.name, process.last_words());
        ensure!(!process.log().contains("panicked"), "{} panicked: {}", process.name, process.last_words());
        let after = process.resident_bytes()?;
        let grown = after.saturating_sub(self.before);
        println!("{} grew by {} KiB from {} KiB", process.name, grown >> 10, self.before >> 10);
        ensure!(grown < GROWTH, "{} grew by {} MiB", process.name, grown >> 20);
        Ok(())
    }
}

/// Bytes that look like nothing, the same in every run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Connections that say nothing, all open at a time.
fn idle(address: SocketAddr) -> Result<Vec<TcpStream>> {
    (0..IDLE_CONNECTIONS).map(|_| open(address)).collect()
}

/// The bytes, and then nothing more: the service hangs up.
fn check_closed(address: SocketAddr, what: &str, bytes: &[u8]) -> Result<()> {
    let mut socket = open(address)?;
    // It may hang up before it has read everything.
    let _ = socket.write_all(bytes);
    ensure!(is_closed_by_peer(&mut socket), "{what}: the connection stays open");
    Ok(())
}
