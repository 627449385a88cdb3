//! What a service was told: a file, over it the environment, over that the flags. Every value knows where it
//! was given, so that each mistake is told with its place, and all of them at once.
//!
//! Every key of the file can be given by a variable: the service's prefix, then the key's path in capitals,
//! two underscores before each part: `LONGHAUL_BROKER__TOPICS__NUM_PARTITIONS=6`, and in a list its place:
//! `LONGHAUL_BROKER__LISTENER__0__ADDRESS=127.0.0.1:9092`. A list of texts has commas. Flags have short
//! variables of their own, with one underscore.

mod deserialize;
mod environment;
mod file;
mod flags;
mod given;
mod mistakes;
mod shown;
#[cfg(test)]
mod tests;

use std::{
    io::{self, ErrorKind, Write},
    path::Path,
};

use anyhow::Context;
use serde::{Serialize, de::DeserializeOwned};

pub use environment::Environment;
pub use flags::Flag;
pub use mistakes::Mistakes;

use given::Given;

/// The values in force, and what is wrong with what was given.
pub struct Settings<T> {
    pub values: T,
    pub mistakes: Mistakes,
    given: Given,
}

impl<T: DeserializeOwned + Default> Settings<T> {
    /// `prefix` is that of the service's variables, `F` are the flags of its command line. What is not given
    /// has the type's default; what is wrong as well, and the mistakes say so.
    pub fn read<F: clap::Args>(
        prefix: &str,
        file: Option<&Path>,
        environment: &Environment,
        flags: Vec<Flag>,
    ) -> Self {
        let mut mistakes = Mistakes::default();
        let mut given = file.map_or_else(Given::nothing, |path| file::read(path, &mut mistakes));
        let known = flags::variables::<F>();
        environment.lay_over(&mut given, prefix, &known, &mut mistakes);
        flags::lay_over(&mut given, flags, &known, environment, &mut mistakes);
        let values = deserialize::values(&mut given, &mut mistakes);
        Self { values, mistakes, given }
    }

    /// The values, if nothing is wrong with them.
    pub fn finish(self) -> anyhow::Result<T> {
        self.mistakes.told(&self.given)?;
        Ok(self.values)
    }
}

impl<T: Serialize> Settings<T> {
    /// Prints what is in force, or fails with what is wrong.
    pub fn print(&self) -> anyhow::Result<()> {
        let shown = self.shown()?;
        match io::stdout().lock().write_all(shown.as_bytes()) {
            // A closed pipe is no reason to fail.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(error).context("cannot write to standard output")
            }
            _ => Ok(()),
        }
    }

    /// The values in force as a config file; what is no default says where it was given.
    fn shown(&self) -> anyhow::Result<String> {
        self.mistakes.told(&self.given)?;
        shown::shown(&self.values, &self.given)
    }
}
