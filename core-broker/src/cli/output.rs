//! What a tool says, on standard output and in its log. As in Java, a reader that went away is no failure. A
//! disk that is full is one: whoever reads the file later would take it for the whole answer.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write, stderr, stdout},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// Whether something that was to be read could not be written. The tool does what it was asked all the same:
/// half of it would be worse.
static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// Prints a line.
pub fn say(line: impl Display) {
    if let Err(error) = writeln!(stdout(), "{line}")
        && !is_nobody_there(&error)
        && !UNWRITTEN.swap(true, Ordering::AcqRel)
    {
        remark(unwritten(&error));
    }
}

/// Of a tool that would end with `code`.
pub fn exit_code(code: ExitCode) -> ExitCode {
    match UNWRITTEN.load(Ordering::Acquire) && code == ExitCode::SUCCESS {
        true => ExitCode::FAILURE,
        false => code,
    }
}

/// As behind `| head`.
pub fn is_nobody_there(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

pub fn unwritten(error: &io::Error) -> String {
    format!("cannot write to standard output: {error}")
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
