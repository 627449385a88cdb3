//! All devices of the simulation as one stream of publishes in the order of time.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use fleet_events::{DriverId, GpsFix, Timestamp, VehicleId};

use crate::{
    driver::{Driver, Habit},
    faults::Faults,
    person::Person,
    rng::Rng,
    route::Route,
    truck::Truck,
};

pub const TRUCKS: &str = "trucks";
pub const PERSONS: &str = "persons";

#[derive(Debug, Clone, PartialEq)]
pub struct FleetConfig {
    pub trucks: u32,
    pub persons: u32,
    /// The event time at which every driver begins the day.
    pub start: Timestamp,
    pub truck_interval_s: u32,
    pub person_interval_s: u32,
    /// The share of drivers who do not keep Art. 7; at least one if it is not 0.
    pub offenders: f64,
    pub faults: Faults,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            trucks: 25,
            persons: 5,
            start: Timestamp::from_ms(MONDAY_MORNING_MS),
            truck_interval_s: 20,
            person_interval_s: 1,
            offenders: 0.15,
            faults: Faults::default(),
        }
    }
}

/// 2026-03-02T06:00:00Z.
const MONDAY_MORNING_MS: i64 = 1_772_431_200_000;

/// One fix on its way to the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish {
    /// The second level of the MQTT topic: `trucks` or `persons`.
    pub fleet: VehicleId,
    pub vehicle_id: VehicleId,
    pub fix: GpsFix,
}

/// The fleet; `next` never ends as long as there is a device.
#[derive(Debug)]
pub struct Fleet {
    devices: Vec<Device>,
    start_ms: i64,
    boot_id: String,
    faults: Faults,
    /// What comes next. Time, device and count are the key, so that ties fall the same way each run.
    due: BinaryHeap<Reverse<Due>>,
}

#[derive(Debug)]
struct Device {
    carrier: Carrier,
    fleet: VehicleId,
    interval_s: i64,
    /// The second of the first fix: devices do not report in step.
    phase_s: i64,
    fixes: u64,
    /// For the jitter of the interval and the faults; the carrier has a stream of its own.
    rng: Rng,
}

#[derive(Debug)]
enum Carrier {
    Truck(Truck),
    Person(Person),
}

#[derive(Debug)]
struct Due {
    at_ms: i64,
    device: usize,
    count: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    NextFix,
    Copy(Box<Publish>),
}

impl Fleet {
    pub fn new(seed: u64, config: &FleetConfig) -> Self {
        let roads: Vec<Arc<Route>> = Route::all().into_iter().map(Arc::new).collect();
        let habits = habits(seed, config.trucks, config.offenders);
        let trucks = habits.into_iter().enumerate().map(|(n, habit)| truck(seed, n as u64, habit, &roads));
        let trucks = trucks.map(|truck| (TRUCKS, config.truck_interval_s, Carrier::Truck(truck)));
        let persons = (0..u64::from(config.persons)).map(|n| person(seed, n, &roads));
        let persons = persons.map(|person| (PERSONS, config.person_interval_s, Carrier::Person(person)));
        let devices: Vec<Device> = trucks
            .chain(persons)
            .enumerate()
            .map(|(n, (fleet, interval_s, carrier))| {
                let mut rng = Rng::stream(seed, "device", n as u64);
                let interval_s = i64::from(interval_s.max(1));
                let phase_s = rng.whole(0, interval_s - 1);
                Device { carrier, fleet: id(fleet), interval_s, phase_s, fixes: 0, rng }
            })
            .collect();
        let due = devices.iter().enumerate();
        let due = due.map(|(n, device)| Reverse(Due::next_fix(n, 0, device.phase_s * 1_000))).collect();
        let start_ms = config.start.ms();
        Self { devices, start_ms, boot_id: format!("sim-{seed}"), faults: config.faults, due }
    }

    /// The topics' fleet and vehicle of every device, in the order of creation.
    pub fn devices(&self) -> impl Iterator<Item = (&VehicleId, &VehicleId)> {
        self.devices.iter().map(|device| (&device.fleet, device.carrier.vehicle_id()))
    }

    /// The drivers who do not keep Art. 7: the ground truth of the alerts.
    pub fn offenders(&self) -> impl Iterator<Item = (&VehicleId, Habit)> {
        self.devices.iter().filter_map(|device| match &device.carrier {
            Carrier::Truck(truck) if truck.driver().habit() != Habit::Legal => {
                Some((&truck.vehicle_id, truck.driver().habit()))
            }
            _ => None,
        })
    }

    /// Takes the next fix from its device and puts its copies in the heap.
    fn report(&mut self, number: usize, at_ms: i64) {
        let device = &mut self.devices[number];
        let (seq, second) = (device.fixes, at_ms / 1_000);
        let mut fix = device.carrier.fix_at(second, Timestamp::from_ms(self.start_ms + at_ms));
        (fix.seq, fix.boot_id) = (Some(seq), Some(self.boot_id.clone()));
        let publish = Publish { fleet: device.fleet.clone(), vehicle_id: fix.vehicle_id.clone(), fix };
        device.fixes += 1;
        for delay_ms in self.faults.delays_ms(&mut device.rng) {
            let what = What::Copy(Box::new(publish.clone()));
            self.due.push(Reverse(Due { at_ms: at_ms + delay_ms, device: number, count: seq, what }));
        }
        self.due.push(Reverse(Due::next_fix(number, device.fixes, device.next_second() * 1_000)));
    }
}

impl Iterator for Fleet {
    /// When to publish, in event time, and what.
    type Item = (Timestamp, Publish);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Reverse(due) = self.due.pop()?;
            match due.what {
                What::NextFix => self.report(due.device, due.at_ms),
                What::Copy(publish) => {
                    return Some((Timestamp::from_ms(self.start_ms + due.at_ms), *publish));
                }
            }
        }
    }
}

impl Device {
    /// Receivers report on whole seconds, a second early or late at longer intervals.
    fn next_second(&mut self) -> i64 {
        let jitter_s = if self.interval_s >= 5 { self.rng.whole(-1, 1) } else { 0 };
        (self.phase_s + self.fixes as i64 * self.interval_s + jitter_s).max(0)
    }
}

impl Carrier {
    fn vehicle_id(&self) -> &VehicleId {
        match self {
            Carrier::Truck(truck) => &truck.vehicle_id,
            Carrier::Person(person) => &person.vehicle_id,
        }
    }

    fn fix_at(&mut self, second: i64, ts: Timestamp) -> GpsFix {
        match self {
            Carrier::Truck(truck) => truck.fix_at(second, ts),
            Carrier::Person(person) => person.fix_at(second, ts),
        }
    }
}

impl Due {
    fn next_fix(device: usize, count: u64, at_ms: i64) -> Self {
        Self { at_ms, device, count, what: What::NextFix }
    }

    /// A copy of a fix goes before the device's next one.
    fn key(&self) -> (i64, usize, u64) {
        (self.at_ms, self.device, self.count)
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Due {}

/// Who offends, and how: the wanted share exactly, dealt to seeded places.
fn habits(seed: u64, trucks: u32, share: f64) -> Vec<Habit> {
    let mut habits = vec![Habit::Legal; trucks as usize];
    let wanted = (f64::from(trucks) * share.clamp(0.0, 1.0)).round() as usize;
    let wanted = if share > 0.0 { wanted.max(1) } else { 0 };
    let mut rng = Rng::stream(seed, "habits", 0);
    let mut places: Vec<usize> = (0..habits.len()).collect();
    for dealt in 0..wanted.min(habits.len()) {
        let place = rng.whole(dealt as i64, places.len() as i64 - 1) as usize;
        places.swap(dealt, place);
        habits[places[dealt]] = Habit::OFFENCES[dealt % Habit::OFFENCES.len()];
    }
    habits
}

fn truck(seed: u64, n: u64, habit: Habit, roads: &[Arc<Route>]) -> Truck {
    let driver = Driver::new(habit, Rng::stream(seed, "driver", n));
    let road = roads[n as usize % roads.len()].clone();
    let driver_id = DriverId::new(&format!("drv-{:03}", n + 1)).expect("made of letters and digits");
    Truck::new(id(&format!("truck-{:03}", n + 1)), driver_id, driver, road, Rng::stream(seed, "truck", n))
}

fn person(seed: u64, n: u64, roads: &[Arc<Route>]) -> Person {
    let cities: Vec<_> = roads.iter().flat_map(|road| &road.cities).collect();
    let mut rng = Rng::stream(seed, "person", n);
    let home = cities[rng.whole(0, cities.len() as i64 - 1) as usize].clone();
    Person::new(id(&format!("fit-{:03}", n + 1)), home, rng)
}

fn id(text: &str) -> VehicleId {
    VehicleId::new(text).expect("made of letters and digits")
}
