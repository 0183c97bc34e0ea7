//! Which HTTP a client speaks.
//!
//! One that knows that the host speaks HTTP/2 begins with its preface (RFC 9113, section
//! 3.4), over TLS as without; whatever else comes first is HTTP/1.

/// Which HTTP a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

impl Version {
    /// What a connection speaks that begins with these bytes, if they tell.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        if bytes.starts_with(PREFACE) {
            Some(Self::Http2)
        } else if PREFACE.starts_with(bytes) {
            None
        } else {
            Some(Self::Http1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_differs_from_the_preface_tells() {
        for (bytes, version) in [
            (&b""[..], None),
            (b"P", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            (
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0",
                Some(Version::Http2),
            ),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", Some(Version::Http1)),
            (b"PUT", Some(Version::Http1)),
            (b"\x16\x03", Some(Version::Http1)),
        ] {
            assert_eq!(Version::of(bytes), version, "{bytes:?}");
        }
    }
}
