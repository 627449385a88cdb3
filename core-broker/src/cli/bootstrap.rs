//! The brokers that a tool begins with.

/// The addresses of a list `HOST:PORT,HOST:PORT...`. Each may have a protocol before it, as in a broker's own
/// config. As in Java it says nothing: `security.protocol` does.
pub fn addresses(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|address| !address.is_empty()).map(without_protocol)
}

/// What Java takes for a protocol.
fn without_protocol(address: &str) -> &str {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._%".contains(&byte);
    match address.split_once("://") {
        Some((protocol, rest)) if protocol.bytes().all(is_letter) => rest,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_before_an_address_is_no_part_of_it() {
        for (list, expected) in [
            ("a:1", &["a:1"][..]),
            ("PLAINTEXT://a:1", &["a:1"]),
            (" SSL://a:1 ,b:2,,foo.x-1://[::1]:3", &["a:1", "b:2", "[::1]:3"]),
            ("://a:1", &["a:1"]),
            ("x/y://a:1", &["x/y://a:1"]),
            ("", &[]),
        ] {
            assert_eq!(addresses(list).collect::<Vec<_>>(), expected, "{list}");
        }
    }
}
