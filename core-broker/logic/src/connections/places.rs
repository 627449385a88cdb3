//! Who may come in: so many connections in all, through one listener, and from one address.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceLimits {
    pub total: usize,
    /// Of each listener, in their order.
    pub listeners: Vec<usize>,
    pub per_address: usize,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Full {
    #[error("too many connections")]
    Total,
    #[error("too many connections to this listener")]
    Listener,
    #[error("too many connections from this address")]
    Address,
}

/// `A`: what an address is.
#[derive(Debug)]
pub struct Places<A> {
    limits: PlaceLimits,
    total: usize,
    listeners: Vec<usize>,
    /// Of addresses that have a connection: no more entries than connections.
    addresses: BTreeMap<A, usize>,
}

impl<A: Ord + Copy> Places<A> {
    pub fn new(limits: PlaceLimits) -> Self {
        let listeners = vec![0; limits.listeners.len()];
        Self { limits, total: 0, listeners, addresses: BTreeMap::new() }
    }

    /// A place that is [`leave`](Self::leave)d later.
    pub fn enter(&mut self, listener: usize, address: A) -> Result<(), Full> {
        let of_address = self.addresses.get(&address).copied().unwrap_or(0);
        if self.total >= self.limits.total {
            return Err(Full::Total);
        }
        if self.listeners[listener] >= self.limits.listeners[listener] {
            return Err(Full::Listener);
        }
        if of_address >= self.limits.per_address {
            return Err(Full::Address);
        }
        self.total += 1;
        self.listeners[listener] += 1;
        self.addresses.insert(address, of_address + 1);
        Ok(())
    }

    pub fn leave(&mut self, listener: usize, address: A) {
        self.total -= 1;
        self.listeners[listener] -= 1;
        let of_address = self.addresses.get_mut(&address).expect("it entered");
        *of_address -= 1;
        if *of_address == 0 {
            self.addresses.remove(&address);
        }
    }

    pub fn total(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_stops_whom_it_is_about_and_a_place_is_free_again() {
        use Full::*;
        let mut places = Places::new(PlaceLimits { total: 4, listeners: vec![2, 4], per_address: 3 });
        enum Step {
            Enter(usize, char, Result<(), Full>),
            Leave(usize, char),
        }
        use Step::*;
        for (number, step) in [
            Enter(0, 'a', Ok(())),
            Enter(0, 'a', Ok(())),
            Enter(0, 'b', Err(Listener)),
            Enter(1, 'a', Ok(())),
            Enter(1, 'a', Err(Address)),
            Enter(1, 'b', Ok(())),
            Enter(1, 'c', Err(Total)),
            Leave(0, 'a'),
            Enter(0, 'c', Ok(())),
            Leave(1, 'a'),
            Leave(0, 'a'),
            Enter(1, 'a', Ok(())),
            Enter(1, 'a', Ok(())),
        ]
        .into_iter()
        .enumerate()
        {
            match step {
                Enter(listener, address, expected) => {
                    assert_eq!(places.enter(listener, address), expected, "step {number}");
                }
                Leave(listener, address) => places.leave(listener, address),
            }
        }
        assert_eq!(places.total(), 4);
        for (listener, address) in [(1, 'b'), (0, 'c'), (1, 'a'), (1, 'a')] {
            places.leave(listener, address);
        }
        assert!(places.total() == 0 && places.addresses.is_empty());
    }
}
