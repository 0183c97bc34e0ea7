//! The form of what the tree keeps of a queue. Numbers are big-endian.

use crate::StoreError;
use crate::log::Millis;
use crate::log::journal::{Mark, Record, Remembered, Verdict};
use crate::sled::large::INLINE_MAX;

/// When it was appended and when it is due, the length of its body, and that of its key
/// and one, or 0 without a key.
const HEAD: usize = 8 + 8 + 4 + 2;

/// What an entry says of its message, beside the start of its body.
pub(super) struct Head<'a> {
    pub(super) enqueued: Millis,
    pub(super) due: Millis,
    /// Bytes of the whole body.
    pub(super) size: u32,
    pub(super) key: Option<&'a str>,
}

/// A message's entry, and the pieces beside it.
pub(super) fn of_message(record: &Record) -> (Vec<u8>, impl Iterator<Item = &[u8]>) {
    let key = record.key.as_deref().unwrap_or_default();
    let (first, rest) = record
        .body
        .split_at(record.body.len().min(start(key.len())));
    let size = record.body.len() as u32;
    let key_and_one = record.key.as_ref().map_or(0, |key| key.len() as u16 + 1);
    let entry = [
        &record.enqueued.to_be_bytes()[..],
        &record.due.to_be_bytes(),
        &size.to_be_bytes(),
        &key_and_one.to_be_bytes(),
        key.as_bytes(),
        first,
    ]
    .concat();
    (entry, rest.chunks(INLINE_MAX))
}

/// What an entry says of its message, and the start of the body.
pub(super) fn message(raw: &[u8]) -> Result<(Head<'_>, &[u8]), StoreError> {
    let parse = || {
        let (enqueued, rest) = raw.split_first_chunk()?;
        let (due, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let key = usize::from(u16::from_be_bytes(*key));
        let (name, body) = rest.split_at_checked(key.saturating_sub(1))?;
        let name = std::str::from_utf8(name).ok()?;
        let head = Head {
            enqueued: u64::from_be_bytes(*enqueued),
            due: u64::from_be_bytes(*due),
            size: u32::from_be_bytes(*size),
            key: (key > 0).then_some(name),
        };
        Some((head, body))
    };
    parse().ok_or_else(damaged)
}

/// How many pieces there are beside an entry, by the lengths of body and key.
pub(super) fn pieces(size: usize, key: usize) -> u16 {
    let rest = size.saturating_sub(start(key));
    // A body is no longer than `MAX_BODY`.
    u16::try_from(rest.div_ceil(INLINE_MAX)).unwrap_or(u16::MAX)
}

/// How much of a body fits into the entry.
fn start(key: usize) -> usize {
    INLINE_MAX - HEAD - key
}

/// A verdict, the attempts, when it is due, and an error that may be there.
pub(super) fn of_mark(mark: &Mark) -> Vec<u8> {
    let verdict = match mark.verdict {
        Verdict::Done => 0,
        Verdict::Again => 1,
        Verdict::Dead => 2,
        Verdict::Paused => 3,
    };
    let error = mark.error.as_deref();
    [
        &[verdict, u8::from(error.is_some())],
        &mark.attempts.to_be_bytes()[..],
        &mark.due.to_be_bytes(),
        error.unwrap_or_default().as_bytes(),
    ]
    .concat()
}

pub(super) fn mark(raw: &[u8]) -> Result<Mark, StoreError> {
    let parse = || {
        let ([verdict, failed], rest) = raw.split_first_chunk()?;
        let (attempts, rest) = rest.split_first_chunk()?;
        let (due, error) = rest.split_first_chunk()?;
        let verdict = match verdict {
            0 => Verdict::Done,
            1 => Verdict::Again,
            2 => Verdict::Dead,
            3 => Verdict::Paused,
            _ => return None,
        };
        Some(Mark {
            verdict,
            attempts: u32::from_be_bytes(*attempts),
            due: u64::from_be_bytes(*due),
            error: (*failed != 0).then(|| String::from_utf8_lossy(error).into_owned()),
        })
    };
    parse().ok_or_else(damaged)
}

pub(super) fn of_remembered(what: &Remembered) -> Vec<u8> {
    [what.id.to_be_bytes(), what.until.to_be_bytes()].concat()
}

pub(super) fn remembered(raw: &[u8]) -> Result<Remembered, StoreError> {
    let parse = || {
        let (id, until) = raw.split_first_chunk()?;
        Some(Remembered {
            id: u64::from_be_bytes(*id),
            until: number(until)?,
        })
    };
    parse().ok_or_else(damaged)
}

/// Eight bytes.
pub(super) fn number(raw: &[u8]) -> Option<u64> {
    raw.try_into().ok().map(u64::from_be_bytes)
}

pub(super) fn damaged() -> StoreError {
    StoreError::Corrupt("an entry of a queue has an unknown form".into())
}
