//! A file as the body of a request, in pieces.

use std::io;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// Bytes of a piece: one read of the disk, one step of a progress bar.
const PIECE: usize = 64 << 10;

/// A file's size, and the body that sends it; `sent` is told the bytes of each
/// piece as it goes out.
pub async fn body(
    file: &Path,
    sent: impl Fn(u64) + Send + Sync + 'static,
) -> io::Result<(u64, BoxBody<Bytes, io::Error>)> {
    let file = File::open(file).await?;
    let size = file.metadata().await?.len();
    let pieces = stream::try_unfold((file, sent), async |(mut file, sent)| {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        if read == 0 {
            return Ok(None);
        }
        sent(read as u64);
        Ok(Some((Frame::data(piece.freeze()), (file, sent))))
    });
    Ok((size, BodyExt::boxed(StreamBody::new(pieces))))
}
