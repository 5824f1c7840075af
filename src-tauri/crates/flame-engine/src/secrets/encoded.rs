//! Secrets in addresses: percent-encoded, as much as whoever wrote the address held necessary.

/// A byte of the text that an address stands for, and where it ends in the address.
struct Byte {
    value: u8,
    start: usize,
    end: usize,
}

/// The text with `mask` in each place where `secret` stands percent-encoded; `None` where it stands nowhere.
pub(super) fn without(text: &str, secret: &str, mask: &str) -> Option<String> {
    let bytes = decoded(text);
    let secret = secret.as_bytes();
    let (mut masked, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(found) = bytes.get(at..at + secret.len()) {
        let is_here = found
            .iter()
            .zip(secret)
            .all(|(byte, expected)| is(byte.value, *expected));
        let (Some(first), Some(last), true) = (found.first(), found.last(), is_here) else {
            at += 1;
            continue;
        };
        // A secret begins and ends with a whole character, and so does what stands for it.
        masked.push_str(text.get(kept..first.start)?);
        masked.push_str(mask);
        kept = last.end;
        at += secret.len();
    }
    if kept == 0 {
        return None;
    }
    masked.push_str(text.get(kept..)?);
    Some(masked)
}

/// A form writes a space as a plus, an address a backslash as a slash.
const fn is(found: u8, expected: u8) -> bool {
    found == expected || matches!((expected, found), (b' ', b'+') | (b'\\', b'/'))
}

fn decoded(text: &str) -> Vec<Byte> {
    let bytes = text.as_bytes();
    let digit = |at: usize| {
        let digit = char::from(*bytes.get(at)?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    let mut found = Vec::with_capacity(bytes.len());
    let mut start = 0;
    while let Some(byte) = bytes.get(start) {
        let (value, end) = match (byte, digit(start + 1), digit(start + 2)) {
            (b'%', Some(high), Some(low)) => (high << 4 | low, start + 3),
            _ => (*byte, start + 1),
        };
        found.push(Byte { value, start, end });
        start = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn every_way_to_encode_is_seen() {
        let secret = "k\u{e9}y/+ =\"1";
        for address in [
            "http://e.com/?t=k%C3%A9y%2F%2B%20%3D%221&x=1",
            "http://e.com/?t=k%c3%a9y/+%20=%221&x=1",
            "http://e.com/?t=k\u{e9}y%2f%2B+%3D%221&x=1",
            "http://e.com/?t=%6B\u{e9}y/+ =%22%31&x=1",
        ] {
            assert_eq!(
                without(address, secret, "***").as_deref(),
                Some("http://e.com/?t=***&x=1"),
                "{address}"
            );
        }
        assert_eq!(
            without("%41%41%41%41%41", "AA", "*").as_deref(),
            Some("**%41")
        );
        assert_eq!(without("a/b%22c", "a\\b\"c", "*").as_deref(), Some("*"));
        for other in ["", "%", "%4", "100%", "k%C3%A9y", "\u{e9}%zz\u{e9}"] {
            assert_eq!(without(other, secret, "***"), None, "{other}");
        }
    }
}
