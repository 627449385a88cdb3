//! SIGINT and SIGTERM, as a JVM takes them: what was begun is ended in order, and the exit code says why.

use std::{
    process::exit,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
};

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

/// Of a program that ended after SIGINT and after SIGTERM, as a shell counts.
const INTERRUPTED: u8 = 128 + 2;
const TERMINATED: u8 = 128 + 15;

/// Whether a signal came.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// From here on the first signal calls `wind_up` on a thread of its own, and the second ends the program.
    pub fn watch(wind_up: impl FnOnce(u8) + Send + 'static) -> Result<Self> {
        let seen = Self::default();
        let noted = seen.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut int, mut term) = {
            let _entered = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        thread::spawn(move || {
            let mut next = || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = int.recv() => INTERRUPTED,
                        _ = term.recv() => TERMINATED,
                    }
                })
            };
            let code = next();
            noted.0.store(code, Ordering::Release);
            let winding_up = thread::spawn(move || wind_up(code));
            let code = next();
            drop(winding_up);
            exit(code.into());
        });
        Ok(seen)
    }

    /// The exit code it asks for.
    pub fn code(&self) -> Option<u8> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            code => Some(code),
        }
    }
}
