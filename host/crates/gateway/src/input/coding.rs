//! Bodies that are compressed on their way, RFC 9110 section 8.4.
//!
//! One is decoded when it is there whole, in one go: what a decoder holds (a window of
//! some MiB) is then held by a thread that computes, never by a client that is slow.

use std::io::{self, Read};

use bytes::Bytes;
use http::{HeaderMap, header};

use super::BodyFault;
use crate::compress::Coding;
use stoa_mesh::UploadFault;

/// The largest window of zstd that a decoder of HTTP needs, RFC 9659: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// What is read at once, in bytes.
const CHUNK: usize = 4096;

/// How a request's body is coded; none is as it is.
///
/// # Errors
/// That it is coded in another way, or in several.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Coding>, BodyFault> {
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
        _ => Err(BodyFault::Coding {
            found: name.to_owned(),
        }),
    }
}

/// The content of a coded body, which has at most `limit` bytes.
pub(super) fn decode(coding: Coding, body: &[u8], limit: u64) -> Result<Bytes, BodyFault> {
    let broken = |_| BodyFault::Encoded { coding };
    let mut content = Vec::with_capacity(body.len());
    let beyond = limit.saturating_add(1);
    let mut decoder = decoder(coding, body).map_err(broken)?.take(beyond);
    let read = decoder.read_to_end(&mut content);
    if content.len() as u64 > limit {
        return Err(UploadFault::TooLarge { limit }.into());
    }
    read.map_err(broken)?;
    Ok(content.into())
}

fn decoder<'b>(coding: Coding, body: &'b [u8]) -> io::Result<Box<dyn Read + 'b>> {
    Ok(match coding {
        Coding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(body)),
        Coding::Br => Box::new(brotli::Decompressor::new(body, CHUNK)),
        Coding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(body)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
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
                    Err(BodyFault::Upload(UploadFault::TooLarge { .. }))
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
            assert!(matches!(refused, Err(BodyFault::Upload(_))), "{coding:?}");
        }
    }

    #[test]
    fn a_window_beyond_the_standard_is_not_made_room_for() {
        let mut to = zstd::Encoder::new(Vec::new(), 1).unwrap();
        to.window_log(27).unwrap();
        to.write_all(b"{}").unwrap();
        let coded = to.finish().unwrap();
        let refused = decode(Coding::Zstd, &coded, 1000);
        assert!(
            matches!(refused, Err(BodyFault::Encoded { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_a_fault() {
        for coding in ALL {
            let coded = encoded(coding, &b"0123456789abcdef".repeat(99));
            for broken in [&coded[..coded.len() - 3], &coded[..5], b"", b"{\"a\": 1}"] {
                let refused = decode(coding, broken, 100_000);
                assert!(
                    matches!(refused, Err(BodyFault::Encoded { .. })),
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
            super::of(&headers)
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
