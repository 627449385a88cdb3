//! What the demo tells whoever watches it.

use std::{
    fmt::Arguments,
    io::{self, Write},
};

/// Like `println!`, but a terminal that was closed is no reason to leave the parts running.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}
pub(crate) use say;

pub fn line(words: Arguments) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{words}").and_then(|()| out.flush());
}

/// A line on standard error, under the same rule.
pub fn complain(error: &anyhow::Error) {
    let _ = writeln!(io::stderr().lock(), "deploy/demo: {error:#}");
}
