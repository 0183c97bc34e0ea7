//! Bodies that are compressed on their way, RFC 9110 section 8.4.
//!
//! One is decoded when it is there whole, in one go: what a decoder holds (a window of
//! some MiB) is then held by a thread that computes, never by a client that is slow.

use std::io::{self, Read};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::Bytes;
use http::{HeaderMap, header};

use super::Coding;

/// The largest window of zstd that a decoder of HTTP needs, RFC 9659: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// What is read at once, in bytes.
const CHUNK: usize = 4096;

/// Why a coded body is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is coded in a way that nobody here decodes, or in several.
    #[error("expected one content coding that is known, found {found:?}")]
    Unknown {
        /// What `Content-Encoding` says, or the first of it.
        found: String,
    },
    /// Its content has more than `limit` bytes.
    #[error("the content is larger than {limit} bytes")]
    TooLarge {
        /// Bytes that it may have at most.
        limit: u64,
    },
    /// It is not what its `Content-Encoding` says.
    #[error("expected a body in {}, found {found}", coding.name())]
    Damaged {
        /// What it should be.
        coding: Coding,
        /// What is there instead.
        found: &'static str,
    },
}

/// How a request's body is coded by its `Content-Encoding` (RFC 9110 section 8.4); `None`
/// is as it is.
///
/// # Errors
/// That it is coded in another way, or in several.
pub fn content_coding(headers: &HeaderMap) -> Result<Option<Coding>, DecodeError> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let name = value.to_str().unwrap_or_default().trim();
    let one = values.next().is_none();
    if one && (name.is_empty() || name.eq_ignore_ascii_case("identity")) {
        return Ok(None);
    }
    match Coding::named(name) {
        Some(coding) if one => Ok(Some(coding)),
        _ => Err(DecodeError::Unknown {
            found: name.to_owned(),
        }),
    }
}

/// The content of a coded body, which has at most `limit` bytes.
///
/// # Errors
/// When it has more, or is not coded so.
pub fn decode(coding: Coding, body: &[u8], limit: u64) -> Result<Bytes, DecodeError> {
    let mut content = Vec::with_capacity(body.len());
    let beyond = limit.saturating_add(1);
    let read = match coding {
        Coding::Gzip => gzip(body, beyond, &mut content),
        Coding::Br => br(body, beyond, &mut content),
        Coding::Zstd => zstd(body, beyond, &mut content),
    };
    if content.len() as u64 > limit {
        return Err(DecodeError::TooLarge { limit });
    }
    read.map_err(|found| DecodeError::Damaged { coding, found })?;
    Ok(content.into())
}

const NONE: &str = "none";
const CUT_OFF: &str = "one that ends too early";
const CHECKSUM: &str = "one whose checksum is not that of its content";
const MORE: &str = "more after its end";
const WINDOW: &str = "one that takes more than 8 MiB of memory to read (RFC 9659)";
const DAMAGED: &str = "one that is damaged";

fn gzip(body: &[u8], beyond: u64, content: &mut Vec<u8>) -> Result<(), &'static str> {
    /// First bytes, RFC 1952 section 2.3.1.
    const BEGIN: &[u8] = &[0x1f, 0x8b, 8];
    let fault = |fault: io::Error| match fault.to_string() {
        _ if fault.kind() == io::ErrorKind::UnexpectedEof => CUT_OFF,
        text if text.contains("checksum") => CHECKSUM,
        _ => DAMAGED,
    };
    let mut rest = body;
    // One member after the other, section 2.2.
    while rest.starts_with(BEGIN) {
        let room = beyond.saturating_sub(content.len() as u64);
        let mut member = flate2::bufread::GzDecoder::new(rest);
        let read = member.by_ref().take(room).read_to_end(content);
        read.map_err(fault)?;
        rest = member.into_inner();
        if rest.is_empty() || content.len() as u64 >= beyond {
            return Ok(());
        }
    }
    Err(if rest.len() == body.len() { NONE } else { MORE })
}

/// Its readers take no notice of what follows, so it is read piece by piece here.
fn br(body: &[u8], beyond: u64, content: &mut Vec<u8>) -> Result<(), &'static str> {
    let alloc = StandardAlloc::default();
    let mut state = BrotliState::new(alloc, alloc, alloc);
    let (mut left, mut at, mut total) = (body.len(), 0, 0);
    let mut chunk = [0; CHUNK];
    while (content.len() as u64) < beyond {
        let (mut room, mut filled) = (CHUNK, 0);
        let step = BrotliDecompressStream(
            &mut left,
            &mut at,
            body,
            &mut room,
            &mut filled,
            &mut chunk,
            &mut total,
            &mut state,
        );
        content.extend_from_slice(&chunk[..filled]);
        match step {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if left == 0 => return Ok(()),
            BrotliResult::ResultSuccess => return Err(MORE),
            BrotliResult::NeedsMoreInput if body.is_empty() => return Err(NONE),
            BrotliResult::NeedsMoreInput => return Err(CUT_OFF),
            // It begins with nothing of its own to know it by.
            BrotliResult::ResultFailure if content.is_empty() => return Err(NONE),
            BrotliResult::ResultFailure => return Err(DAMAGED),
        }
    }
    Ok(())
}

fn zstd(body: &[u8], beyond: u64, content: &mut Vec<u8>) -> Result<(), &'static str> {
    /// First bytes, RFC 8878 section 3.1.1.
    const BEGIN: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
    if !body.starts_with(BEGIN) {
        return Err(NONE);
    }
    let fault = |fault: io::Error| match fault.to_string() {
        _ if fault.kind() == io::ErrorKind::UnexpectedEof => CUT_OFF,
        text if text.contains("checksum") => CHECKSUM,
        text if text.contains("too much memory") => WINDOW,
        // Of a further frame: the first one's was there.
        text if text.contains("frame descriptor") => MORE,
        _ => DAMAGED,
    };
    let mut decoder = zstd::Decoder::with_buffer(body).map_err(fault)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(fault)?;
    let read = decoder.take(beyond).read_to_end(content);
    read.map(|_| ()).map_err(fault)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Br, Coding::Zstd];

    fn encoded(coding: Coding, content: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => {
                let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                to.write_all(content).unwrap();
                to.finish().unwrap()
            }
            Coding::Br => {
                let mut to = brotli::CompressorWriter::new(Vec::new(), CHUNK, 9, 22);
                to.write_all(content).unwrap();
                to.into_inner()
            }
            Coding::Zstd => zstd::encode_all(content, 19).unwrap(),
        }
    }

    #[test]
    fn what_was_coded_comes_back_up_to_the_limit() {
        let content = b"{\"name\": \"cup\"}".repeat(300);
        for coding in ALL {
            let coded = encoded(coding, &content);
            let limit = content.len() as u64;
            assert_eq!(
                decode(coding, &coded, limit).unwrap(),
                content,
                "{coding:?}"
            );
            assert!(
                matches!(
                    decode(coding, &coded, limit - 1),
                    Err(DecodeError::TooLarge { .. })
                ),
                "{coding:?}"
            );
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        for coding in ALL {
            let bomb = encoded(coding, &vec![b' '; 64 << 20]);
            assert!(bomb.len() < 100_000, "{coding:?}: {}", bomb.len());
            let refused = decode(coding, &bomb, 1000);
            assert!(
                matches!(refused, Err(DecodeError::TooLarge { .. })),
                "{coding:?}"
            );
        }
    }

    #[test]
    fn a_window_beyond_the_standard_is_not_made_room_for() {
        let mut to = zstd::Encoder::new(Vec::new(), 1).unwrap();
        to.window_log(27).unwrap();
        to.write_all(b"{}").unwrap();
        let coded = to.finish().unwrap();
        assert_eq!(found(Coding::Zstd, &coded), WINDOW);
    }

    /// What is said of a body that can't be decoded.
    fn found(coding: Coding, body: &[u8]) -> &'static str {
        match decode(coding, body, 100_000) {
            Err(DecodeError::Damaged { found, .. }) => found,
            other => panic!("{coding:?}: {other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let content = b"0123456789abcdef".repeat(99);
        for coding in ALL {
            let whole = encoded(coding, &content);
            assert_eq!(found(coding, b"{\"a\": 1}"), NONE, "{coding:?}");
            let short = &whole[..whole.len() - 3];
            assert_eq!(found(coding, short), CUT_OFF, "{coding:?}");
            let more = [&whole[..], b"{\"a\": 1}"].concat();
            assert_eq!(found(coding, &more), MORE, "{coding:?}");
        }
        let mut gzip = encoded(Coding::Gzip, &content);
        let crc = gzip.len() - 8;
        gzip[crc] ^= 1;
        assert_eq!(found(Coding::Gzip, &gzip), CHECKSUM);
        let mut to = zstd::Encoder::new(Vec::new(), 1).unwrap();
        to.include_checksum(true).unwrap();
        to.write_all(&content).unwrap();
        let mut zstd = to.finish().unwrap();
        *zstd.last_mut().unwrap() ^= 1;
        assert_eq!(found(Coding::Zstd, &zstd), CHECKSUM);
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_a_fault() {
        for coding in ALL {
            let coded = encoded(coding, &b"0123456789abcdef".repeat(99));
            for broken in [&coded[..coded.len() - 3], &coded[..5], b"", b"{\"a\": 1}"] {
                let refused = decode(coding, broken, 100_000);
                assert!(
                    matches!(refused, Err(DecodeError::Damaged { .. })),
                    "{coding:?}: {refused:?}"
                );
            }
        }
    }

    #[test]
    fn one_known_coding_is_taken() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = header::HeaderValue::from_static(value);
                headers.append(header::CONTENT_ENCODING, value);
            }
            content_coding(&headers)
        };
        for plain in [&[][..], &["identity"], &["Identity "], &[""]] {
            assert_eq!(of(plain).unwrap(), None, "{plain:?}");
        }
        assert_eq!(of(&["X-GZip"]).unwrap(), Some(Coding::Gzip));
        assert_eq!(of(&[" br"]).unwrap(), Some(Coding::Br));
        for strange in [&["deflate"][..], &["gzip, br"], &["gzip", "gzip"]] {
            assert!(of(strange).is_err(), "{strange:?}");
        }
    }
}
