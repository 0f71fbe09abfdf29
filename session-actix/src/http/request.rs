//! What the head of a request says.

/// Whether a body follows the head, as far as the head says.
///
/// HTTP/1 says so by `Content-Length` or `Transfer-Encoding` (RFC 9112, section 6.3). HTTP/2 and
/// later need neither, so there the method decides.
pub(crate) fn has_body(
    is_http_1: bool,
    method: &str,
    content_length: Option<&[u8]>,
    has_transfer_encoding: bool,
) -> bool {
    match content_length {
        Some(length) => length != b"0",
        None if is_http_1 => has_transfer_encoding,
        None => matches!(method, "POST" | "PUT" | "PATCH" | "QUERY"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_by_the_head() {
        for (is_http_1, method, length, encoded, expected) in [
            (true, "GET", None, false, false),
            (true, "POST", None, false, false),
            (true, "POST", Some("0"), false, false),
            (true, "POST", Some("5"), false, true),
            (true, "PUT", None, true, true),
            (false, "GET", None, false, false),
            (false, "POST", None, false, true),
            (false, "POST", Some("0"), false, false),
            (false, "GET", Some("5"), false, true),
        ] {
            let length = length.map(str::as_bytes);
            assert_eq!(has_body(is_http_1, method, length, encoded), expected, "{method}");
        }
    }
}
