//! What was given to the MQTT client and not acknowledged yet, in the order of publishing.
//!
//! The client library has a list of its own, but it forgets it when the broker lost the session,
//! loses its order when a re-send is cut off, and does not say which packet id belongs to which
//! publish. So this list is the truth, and the library's is written from it at each reconnect.

use std::collections::VecDeque;

/// From the oldest fix without acknowledgement to the newest. Far below the packet ids that the
/// library has to give (`PACKET_IDS`), so that an id cannot meet itself.
pub const WINDOW: u64 = 64;

#[derive(Debug)]
pub struct Unacknowledged<T> {
    entries: VecDeque<Entry<T>>,
    next: u64,
}

#[derive(Debug)]
pub struct Entry<T> {
    number: u64,
    /// Known when the library has written the packet.
    pub packet_id: Option<u16>,
    sent_before: bool,
    pub item: T,
}

/// What the writing of a packet was.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    First,
    Again,
    /// A packet that this list never asked for.
    Unknown,
}

impl<T> Unacknowledged<T> {
    pub fn new() -> Self {
        Self { entries: VecDeque::new(), next: 0 }
    }

    pub fn has_room(&self) -> bool {
        self.entries.front().is_none_or(|oldest| self.next - oldest.number < WINDOW)
    }

    /// The item goes to the library; packets are written in the order of these calls.
    pub fn push(&mut self, item: T) {
        assert!(self.has_room(), "a publish beyond the window");
        self.entries.push_back(Entry { number: self.next, packet_id: None, sent_before: false, item });
        self.next += 1;
    }

    /// The library wrote a packet: a re-send if the id is known, else the oldest that has none.
    pub fn sent(&mut self, packet_id: u16) -> Sent {
        if self.entries.iter().any(|entry| entry.packet_id == Some(packet_id)) {
            return Sent::Again;
        }
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.packet_id.is_none()) else {
            return Sent::Unknown;
        };
        entry.packet_id = Some(packet_id);
        if std::mem::replace(&mut entry.sent_before, true) { Sent::Again } else { Sent::First }
    }

    /// The item that this PUBACK is for.
    pub fn acknowledged(&mut self, packet_id: u16) -> Option<T> {
        let place = self.entries.iter().position(|entry| entry.packet_id == Some(packet_id))?;
        self.entries.remove(place).map(|entry| entry.item)
    }

    /// The broker has forgotten the packet ids: everything is to be published again.
    pub fn forget_packet_ids(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.packet_id = None);
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{Sent::*, *};

    enum Step {
        Push(char),
        Wrote(u16, Sent),
        Acked(u16, Option<char>),
        Forget,
        Left(&'static str),
    }
    use Step::{Acked, Forget, Left, Push, Wrote};

    fn check(script: Vec<Step>) {
        let mut list = Unacknowledged::new();
        for (n, step) in script.into_iter().enumerate() {
            match step {
                Push(item) => list.push(item),
                Wrote(id, expected) => assert_eq!(list.sent(id), expected, "step {n}"),
                Acked(id, expected) => assert_eq!(list.acknowledged(id), expected, "step {n}"),
                Forget => list.forget_packet_ids(),
                Left(expected) => {
                    assert_eq!(list.iter().map(|entry| entry.item).collect::<String>(), expected, "step {n}");
                }
            }
        }
    }

    #[test]
    fn an_acknowledgement_is_for_the_fix_that_was_written_under_its_id() {
        check(vec![
            Push('a'),
            Push('b'),
            Wrote(1, First),
            Push('c'),
            Wrote(2, First),
            Wrote(3, First),
            Acked(2, Some('b')),
            Acked(2, None),
            Acked(9, None),
            Left("ac"),
            Acked(1, Some('a')),
            Acked(3, Some('c')),
            Left(""),
        ]);
    }

    #[test]
    fn a_session_that_lived_on_keeps_the_ids() {
        check(vec![
            Push('a'),
            Push('b'),
            Wrote(1, First),
            Wrote(1, Again),
            Wrote(2, First),
            Acked(1, Some('a')),
            Left("b"),
        ]);
    }

    #[test]
    fn a_session_that_was_lost_starts_again_in_order() {
        check(vec![
            Push('a'),
            Push('b'),
            Push('c'),
            Wrote(1, First),
            Wrote(2, First),
            Forget,
            Acked(1, None),
            Wrote(7, Again),
            Wrote(8, Again),
            Wrote(9, First),
            Wrote(10, Unknown),
            Acked(8, Some('b')),
            Left("ac"),
        ]);
    }

    #[test]
    fn the_window_is_measured_from_the_oldest_so_that_ids_cannot_meet() {
        let mut list = Unacknowledged::new();
        for id in 1..=WINDOW as u16 {
            list.push(id);
            list.sent(id);
        }
        assert!(!list.has_room());
        list.acknowledged(2);
        assert!(!list.has_room(), "the oldest is still out");
        list.acknowledged(1);
        assert!(list.has_room());
    }
}
