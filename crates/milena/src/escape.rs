//! Escapes for characters that are hard to type on a command line.

/// Replaces `\t`, `\n`, `\r`, `\0`, `\\` and `\x1f` (any byte).
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (byte, length) = escaped(&rest[at + 1..]).ok_or_else(|| {
            format!(
                "'{}' is not an escape; use \\t \\n \\r \\0 \\\\ or \\x1f (two hexadecimal digits)",
                &rest[at..]
            )
        })?;
        bytes.push(byte);
        rest = &rest[at + 1 + length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// The byte named by the text after a backslash, and the length of that text.
fn escaped(rest: &str) -> Option<(u8, usize)> {
    Some(match rest.as_bytes().first()? {
        b't' => (b'\t', 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b'0' => (0, 1),
        b'\\' => (b'\\', 1),
        b'x' => (u8::from_str_radix(rest.get(1..3)?, 16).ok()?, 3),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes() {
        assert_eq!(unescape(r"a\tb\n\\\0\x1fé"), Ok(b"a\tb\n\\\0\x1f\xc3\xa9".to_vec()));
        for wrong in [r"\", r"\q", r"\x1", r"\xé"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
    }
}
