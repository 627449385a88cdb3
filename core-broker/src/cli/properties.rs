//! Java properties files, as far as people write them: `--command-config`, `--add-config-file`.

use super::failure::{Exception, Failure};

/// In the order of the file. A key that comes twice has its last value.
pub fn load(path: &str) -> Result<Vec<(String, String)>, Failure> {
    let text = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Exception::new("java.nio.file.NoSuchFileException", path),
        _ => Exception::new("java.io.IOException", format!("{path}: {error}")),
    })?;
    Ok(parse(&String::from_utf8_lossy(&text)))
}

/// `key=value`, `key: value` or `key value`; `#` and `!` begin a comment, a backslash at the end of a line
/// joins the next one to it.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let mut properties: Vec<(String, String)> = Vec::new();
    for line in logical_lines(text) {
        let end = key_end(&line);
        let rest = line[end..].trim_start();
        let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
        let (key, value) = (unescape(&line[..end]), unescape(value));
        properties.retain(|(other, _)| *other != key);
        properties.push((key, value));
    }
    properties
}

fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines().map(str::trim_start) {
        if open.is_none() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let mut joined = open.take().unwrap_or_default();
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            joined.push_str(&line[..line.len() - 1]);
            open = Some(joined);
        } else {
            joined.push_str(line);
            lines.push(joined);
        }
    }
    lines.extend(open);
    lines
}

/// Where the first `=`, `:` or blank is that no backslash precedes.
fn key_end(line: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in line.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' => return at,
            _ => {}
        }
    }
    line.len()
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('t') => plain.push('\t'),
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some('u') => {
                    let digits: String = letters.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(other) => plain.push(other),
                None => {}
            },
            (letter, false) => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_java_reads_them() {
        for (text, expected) in [
            ("a=b", [("a", "b")].as_slice()),
            ("a = b \nc: d\ne f", &[("a", "b "), ("c", "d"), ("e", "f")]),
            ("# x\n! y\n\n  a=b", &[("a", "b")]),
            ("a=b,\\\n   c", &[("a", "b,c")]),
            ("a\\=b=c\\\\d\\u0041\\t", &[("a=b", "c\\dA\t")]),
            ("a=1\nb=2\na=3", &[("b", "2"), ("a", "3")]),
            ("a", &[("a", "")]),
            ("a=\\", &[("a", "")]),
            ("a=\\u12", &[("a", "\u{12}")]),
        ] {
            let parsed = parse(text);
            let read: Vec<_> = parsed.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(read, expected, "{text}");
        }
    }
}
