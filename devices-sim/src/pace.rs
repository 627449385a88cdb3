//! Event time into wall-clock time: each fix goes to its device when it is due, and no earlier.
//!
//! Queues to the devices are bounded. When one is full the whole simulation waits for it: it falls
//! behind, which the status says, and catches up later. Nothing is skipped.

use std::{collections::BTreeMap, time::Duration};

use fleet_events::{GpsFix, Timestamp, VehicleId};
use sim_logic::Publish;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use crate::config::SpeedUp;

/// How far the simulation is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Fixes given to the devices.
    pub handed: u64,
    /// Event time of the last one.
    pub event_time: Option<Timestamp>,
    /// When the fix is due that is waited for or that waits for its device.
    pub due: Option<Instant>,
}

impl Progress {
    pub fn behind(&self, now: Instant) -> Duration {
        self.due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due))
    }
}

/// What paces a run.
pub struct Pace {
    pub speed_up: SpeedUp,
    pub devices: BTreeMap<VehicleId, mpsc::Sender<GpsFix>>,
    pub progress: watch::Sender<Progress>,
}

impl Pace {
    /// Hands out fixes until there are none. The first one is due at once.
    pub async fn run(self, source: impl Iterator<Item = (Timestamp, Publish)>) {
        let began = Instant::now();
        let mut first = None;
        for (at, publish) in source {
            let since_ms = at.since_ms(*first.get_or_insert(at)).max(0);
            let due = began + Duration::from_secs_f64(since_ms as f64 / 1_000.0 / self.speed_up.0);
            self.progress.send_modify(|progress| progress.due = Some(due));
            if due > Instant::now() {
                sleep_until(due).await;
            }
            let event_time = publish.fix.ts;
            let Some(device) = self.devices.get(&publish.vehicle_id) else { continue };
            if device.send(publish.fix).await.is_err() {
                break;
            }
            self.progress.send_modify(|progress| {
                progress.handed += 1;
                progress.event_time = Some(event_time);
            });
        }
        self.progress.send_modify(|progress| progress.due = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(vehicle: &str, s: i64) -> (Timestamp, Publish) {
        let id = VehicleId::new(vehicle).unwrap();
        let at = Timestamp::from_ms(s * 1_000);
        let fix = GpsFix::new(id.clone(), at, 1.0, 2.0);
        (at, Publish { fleet: VehicleId::new("trucks").unwrap(), vehicle_id: id, fix })
    }

    fn pace(queue: usize) -> (Pace, mpsc::Receiver<GpsFix>, watch::Receiver<Progress>) {
        let (fixes, received) = mpsc::channel(queue);
        let (progress, seen) = watch::channel(Progress::default());
        let devices = BTreeMap::from([(VehicleId::new("a").unwrap(), fixes)]);
        (Pace { speed_up: SpeedUp(10.0), devices, progress }, received, seen)
    }

    #[tokio::test]
    async fn event_time_runs_faster_than_the_wall_by_the_speed_up() {
        let (pace, mut fixes, progress) = pace(10);
        let began = Instant::now();
        pace.run([publish("a", 100), publish("a", 101), publish("a", 101)].into_iter()).await;
        assert!(began.elapsed() >= Duration::from_millis(100));
        for s in [100, 101, 101] {
            assert_eq!(fixes.recv().await.map(|fix| fix.ts.ms()), Some(s * 1_000));
        }
        assert!(fixes.recv().await.is_none());
        assert_eq!((progress.borrow().handed, progress.borrow().due), (3, None));
    }

    #[tokio::test]
    async fn a_slow_device_makes_the_simulation_fall_behind_and_loses_nothing() {
        let (pace, mut fixes, mut progress) = pace(1);
        let running =
            tokio::spawn(pace.run((0..50).map(|_| publish("a", 0)).collect::<Vec<_>>().into_iter()));
        progress.wait_for(|progress| progress.handed == 1).await.unwrap();
        let now = Instant::now() + Duration::from_secs(3);
        assert!(progress.borrow().behind(now) >= Duration::from_secs(3));
        let mut received = 0;
        while fixes.recv().await.is_some() {
            received += 1;
        }
        running.await.unwrap();
        assert_eq!((received, progress.borrow().handed), (50, 50));
    }
}
