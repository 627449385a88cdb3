//! What systemd is told, where it asks: that the service serves, that it stops, that it is alive.

use std::time::Duration;

use sd_notify::NotifyState;

pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often the unit's `WatchdogSec=` wants to hear [`alive`]: half of it.
pub fn alive_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2)
}

pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell systemd");
    }
}
