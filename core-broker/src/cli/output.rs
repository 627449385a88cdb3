//! What a tool says, on standard output and in its log. As in Java, a reader that went away is no failure.

use std::{
    fmt::Display,
    io::{Write, stderr, stdout},
    time::{SystemTime, UNIX_EPOCH},
};

/// Prints a line.
pub fn say(line: impl Display) {
    // Nobody reads.
    let _ = writeln!(stdout(), "{line}");
}

/// Prints a line for the human, not for the next program.
pub fn remark(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// A line of the tool's log, which goes where remarks go.
pub fn log(level: &str, message: impl Display, class: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = jiff::Timestamp::from_millisecond(now.as_millis().try_into().unwrap_or_default());
    let time = now.unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S,%3f");
    remark(format_args!("[{time}] {level} {message} ({class})"));
}
