//! How the demo is asked to end: by Ctrl-C, by SIGTERM, by the closing of its terminal.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::say::say;

/// What was asked of the demo so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    Nothing,
    /// In order: the fleet first, then what it spoke to.
    Stop,
    /// At once, with nothing saved and nothing counted.
    Kill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Interrupt,
    Terminate,
    Hangup,
}

impl Asked {
    fn after(self, signal: Signal) -> Self {
        match (self, signal) {
            (Asked::Nothing, _) => Asked::Stop,
            // A closing terminal often says it twice, by its shell and by the kernel: that is no impatience.
            (asked, Signal::Hangup) => asked,
            (_, Signal::Interrupt | Signal::Terminate) => Asked::Kill,
        }
    }
}

/// Listens from the moment of the call, on a task of its own, until the runtime ends.
pub fn listen() -> io::Result<watch::Receiver<Asked>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    let (tell, asked) = watch::channel(Asked::Nothing);
    tokio::spawn(async move {
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let signal = tokio::select! {
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
                _ = hung_up => Signal::Hangup,
            };
            let before = *tell.borrow();
            let asked = before.after(signal);
            if (before, asked) == (Asked::Nothing, Asked::Stop) {
                say!("stopping: waiting for what is under way; a second Ctrl-C kills all of it");
            }
            tell.send_replace(asked);
        }
    });
    Ok(asked)
}

/// Resolves when at least so much is asked.
pub async fn asked(stop: &mut watch::Receiver<Asked>, least: Asked) {
    if stop.wait_for(|asked| *asked >= least).await.is_err() {
        // The listener is gone, so nobody can ask.
        std::future::pending().await
    }
}

/// Whoever starts the demo under `nohup` wants it to outlive the terminal.
fn ignores_hangup() -> bool {
    const SIGHUP: u64 = 1 << 0;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & SIGHUP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_stops_and_a_second_one_kills_unless_it_is_a_closing_terminal() {
        use Signal::{Hangup, Interrupt, Terminate};
        for (signals, expected) in [
            (&[][..], Asked::Nothing),
            (&[Interrupt], Asked::Stop),
            (&[Terminate], Asked::Stop),
            (&[Hangup], Asked::Stop),
            (&[Hangup, Hangup, Hangup], Asked::Stop),
            (&[Interrupt, Hangup], Asked::Stop),
            (&[Interrupt, Interrupt], Asked::Kill),
            (&[Hangup, Terminate], Asked::Kill),
            (&[Terminate, Interrupt, Hangup], Asked::Kill),
        ] {
            let asked = signals.iter().fold(Asked::Nothing, |asked, signal| asked.after(*signal));
            assert_eq!(asked, expected, "{signals:?}");
        }
    }
}
