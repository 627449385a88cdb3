//! Records on their way to standard output. They are read once they are written there: what a full disk did
//! not take is given out again when the group comes back.

use std::{
    io::{self, Write, stdout},
    time::Duration,
};

use super::{
    super::{failure::Exception, librdkafka::Consumer},
    formatter::Formatter,
};

/// Written when there are so many bytes of lines, or so many records, if not before.
const FULL_BYTES: usize = 64 << 10;
const FULL_RECORDS: u64 = 10_000;

pub struct Printer<'a> {
    consumer: Consumer,
    formatter: &'a Formatter,
    lines: Vec<u8>,
    taken: u64,
    written: u64,
}

/// Why no more is printed.
pub enum Stop {
    Unwritten(io::Error),
    Failed(Exception),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

impl From<Exception> for Stop {
    fn from(exception: Exception) -> Self {
        Self::Failed(exception)
    }
}

impl<'a> Printer<'a> {
    pub fn new(consumer: Consumer, formatter: &'a Formatter) -> Self {
        Self { consumer, formatter, lines: Vec::with_capacity(FULL_BYTES), taken: 0, written: 0 }
    }

    /// The next record, if there is one within `wait`, and what was wrong with it.
    pub fn take(&mut self, wait: Duration) -> Result<Option<Result<(), Exception>>, Exception> {
        let Self { consumer, formatter, lines, .. } = self;
        let taken = consumer.poll(wait, |record| formatter.write(record, lines))?;
        self.taken += u64::from(taken.is_some());
        Ok(taken)
    }

    /// How many records were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    pub fn is_full(&self) -> bool {
        self.lines.len() >= FULL_BYTES || self.taken - self.written >= FULL_RECORDS
    }

    /// Writes what was taken, which is read from then on.
    pub fn write(&mut self) -> Result<(), Stop> {
        let mut out = stdout().lock();
        out.write_all(&self.lines)?;
        out.flush()?;
        self.lines.clear();
        self.written = self.taken;
        Ok(self.consumer.read()?)
    }

    /// Leaves the group; how many records were written.
    pub fn end(self) -> u64 {
        self.written
    }
}
