//! Lines as Java's readers split them: after a line feed, a carriage return, or both. Each is bounded, so
//! that a file without lines does not become one record of its size in memory.

use std::io::{self, BufRead};

pub struct Lines<R> {
    input: R,
    line: Vec<u8>,
    max_bytes: usize,
    /// A line feed that comes next belongs to the carriage return before it.
    after_return: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    Text(&'a [u8]),
    /// Its length. It was read to its end, and forgotten.
    TooLong(usize),
    End,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R, max_bytes: usize) -> Self {
        Self { input, line: Vec::new(), max_bytes, after_return: false }
    }

    pub fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        let mut bytes = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(if bytes == 0 { Line::End } else { self.ended(bytes) });
            }
            if std::mem::take(&mut self.after_return) && buffer[0] == b'\n' {
                self.input.consume(1);
                continue;
            }
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &buffer[..end.unwrap_or(buffer.len())];
            bytes += part.len();
            if bytes <= self.max_bytes {
                self.line.extend_from_slice(part);
            }
            self.after_return = end.is_some_and(|end| buffer[end] == b'\r');
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(self.ended(bytes));
            }
        }
    }

    fn ended(&self, bytes: usize) -> Line<'_> {
        match bytes > self.max_bytes {
            true => Line::TooLong(bytes),
            false => Line::Text(&self.line),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(input: &[u8], capacity: usize) -> Vec<String> {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, input), 5);
        let mut read = Vec::new();
        loop {
            match lines.next().unwrap() {
                Line::End => return read,
                Line::TooLong(bytes) => read.push(format!("({bytes})")),
                Line::Text(text) => read.push(String::from_utf8_lossy(text).into_owned()),
            }
        }
    }

    #[test]
    fn lines_end_as_they_do_in_java_wherever_the_buffer_ends() {
        for (input, expected) in [
            ("", [].as_slice()),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\nb", &["a", "b"]),
            ("a\r\nb\r\n", &["a", "b"]),
            ("a\rb\r", &["a", "b"]),
            ("a\r\r\nb", &["a", "", "b"]),
            ("\n\n", &["", ""]),
            ("\n\r", &["", ""]),
            ("12345\n123456\n1234567\nx", &["12345", "(6)", "(7)", "x"]),
            ("123456", &["(6)"]),
        ] {
            for capacity in [1, 2, 3, 100] {
                assert_eq!(lines(input.as_bytes(), capacity), expected, "{input:?} by {capacity}");
            }
        }
    }
}
