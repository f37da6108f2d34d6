//! Standard base64 with padding, of which every value has one spelling (RFC 4648 §3.5, §4).

use data_encoding::BASE64;

/// Reads one padded text: no other alphabet, no white space, no bits that no byte holds, and no second
/// padded text after the first, which the library would take for a continuation.
#[must_use]
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let inner = text.len().saturating_sub(2);
    if text.as_bytes()[..inner].contains(&b'=') {
        return None;
    }
    BASE64.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_spelling() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"abcd"] {
            assert_eq!(decode_base64(&BASE64.encode(bytes)).as_deref(), Some(bytes));
        }
        for bad in ["e30", "e31=", "e30=e30=", "YQ==YQ==", "e30=\n", "_-A=", "=", "e3=0", "===="] {
            assert_eq!(decode_base64(bad), None, "{bad}");
        }
    }
}
