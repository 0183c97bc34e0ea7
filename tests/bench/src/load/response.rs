//! As much of HTTP/1.1's responses as a load needs: where one ends, and whether
//! it is good.

use anyhow::{Context, Result, bail};

/// More headers than any server here sends.
const HEADERS: usize = 32;

/// A whole response at the beginning of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Bytes of the buffer that it takes.
    pub length: usize,
    /// The server will close the connection.
    pub closes: bool,
    head: usize,
    chunked: bool,
}

impl Response {
    /// The response in `buffer`; `None` where its end is still to come.
    ///
    /// # Errors
    /// It is not HTTP/1.1, or says neither its length nor that it is chunked.
    pub fn parse(buffer: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        let head = match parsed
            .parse(buffer)
            .context("expected an HTTP/1.1 response")?
        {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete(head) => head,
        };
        let status = parsed.code.context("a complete head has a status")?;
        let (mut length, mut chunked, mut closes) = (None, false, false);
        for header in parsed.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                length = Some(
                    std::str::from_utf8(header.value)?
                        .trim()
                        .parse::<usize>()
                        .context("content-length")?,
                );
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = header.value.eq_ignore_ascii_case(b"chunked");
            } else if header.name.eq_ignore_ascii_case("connection") {
                closes = header.value.eq_ignore_ascii_case(b"close");
            }
        }
        let body = match (chunked, length) {
            (true, _) => walk_chunks(&buffer[head..], |_| ())?,
            (false, Some(length)) => (buffer.len() - head >= length).then_some(length),
            (false, None) if status == 204 || status == 304 => Some(0),
            (false, None) => bail!("expected content-length or chunks, found neither"),
        };
        Ok(body.map(|body| Self {
            status,
            length: head + body,
            closes,
            head,
            chunked,
        }))
    }

    /// The body, without its framing.
    ///
    /// # Errors
    /// Never for the buffer that this response was parsed from.
    pub fn body(&self, buffer: &[u8]) -> Result<Vec<u8>> {
        let framed = &buffer[self.head..self.length];
        if !self.chunked {
            return Ok(framed.to_vec());
        }
        let mut body = Vec::with_capacity(framed.len());
        walk_chunks(framed, |chunk| body.extend_from_slice(chunk))?;
        Ok(body)
    }
}

/// Bytes that the chunks take with their trailers; `None` where the end is to come.
fn walk_chunks(buffer: &[u8], mut take: impl FnMut(&[u8])) -> Result<Option<usize>> {
    let mut at = 0;
    loop {
        let (start, size) = match httparse::parse_chunk_size(&buffer[at..]) {
            Ok(httparse::Status::Complete((start, size))) => (at + start, usize::try_from(size)?),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => bail!("expected the size of a chunk"),
        };
        if size == 0 {
            return Ok(end_of_trailers(&buffer[start..]).map(|trailers| start + trailers));
        }
        let Some(chunk) = buffer.get(start..start + size) else {
            return Ok(None);
        };
        take(chunk);
        at = start + size + 2;
        if buffer.len() < at {
            return Ok(None);
        }
    }
}

/// Trailers end with an empty line; mostly there is nothing else.
fn end_of_trailers(buffer: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = buffer[at..].windows(2).position(|pair| pair == b"\r\n")?;
        at += line + 2;
        if line == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn whole(text: &str) -> (u16, usize, Vec<u8>) {
        let response = Response::parse(text.as_bytes())
            .unwrap()
            .expect("it is whole");
        (
            response.status,
            response.length,
            response.body(text.as_bytes()).unwrap(),
        )
    }

    #[test]
    fn a_body_ends_by_its_length() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP";
        assert_eq!(whole(text), (200, text.len() - 4, b"hello".to_vec()));
    }

    #[test]
    fn a_body_ends_by_its_last_chunk_and_trailers() {
        let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx: y\r\n\r\n";
        assert_eq!(whole(text), (200, text.len(), b"hello".to_vec()));
    }

    #[test]
    fn every_beginning_is_a_partial_response() {
        for text in [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx: y\r\n\r\n",
            "HTTP/1.1 500 No\r\ncontent-length: 5\r\n\r\nhello",
        ] {
            for end in 0..text.len() {
                assert_eq!(
                    Response::parse(&text.as_bytes()[..end]).unwrap(),
                    None,
                    "{end} bytes of {text:?}"
                );
            }
        }
    }

    #[test]
    fn a_204_has_no_body_and_close_is_seen() {
        let response = Response::parse(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!((response.status, response.closes), (204, true));
    }

    #[test]
    fn what_is_not_http_is_refused() {
        assert!(Response::parse(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\n\r\nhello").is_err());
        assert!(
            Response::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
                .is_err()
        );
    }
}
