//! The frames of HTTP/2, RFC 9113: counted by their kinds.
//!
//! The h2 crate bounds what frames can make the host hold (CONTINUATION, empty DATA,
//! streams that were reset before they were looked at, its own resets), but not what
//! they make it do: a client may ask for an answer to each PING, or begin and take
//! back requests as fast as it can send.

use super::Flood;

/// What follows the preface's first line.
const PREFACE_REST: usize = b"\r\nSM\r\n\r\n".len();
const FRAME_HEAD: usize = 9;

/// Streams that a client may reset in a beat, while it resets more than half of
/// those that it begins: a page that is left takes back a hundred at most. Rapid
/// reset, CVE-2023-44487.
const RESETS: u32 = 250;
/// PING, SETTINGS, PRIORITY and frames of unknown kinds in a beat: clients that
/// measure a path send some tens a second. CVE-2019-9512, CVE-2019-9515.
const CONTROL: u32 = 1000;
/// What an answer to a PING counts: the host sends one a minute, and h2 logs each
/// answer that it did not ask for.
const UNASKED: u32 = 50;
const ACK: u8 = 1;
/// WINDOW_UPDATE in a beat: two for each frame that the host could send at a gigabit
/// a second.
const WINDOWS: u32 = 40_000;

pub(super) struct Http2 {
    head: [u8; FRAME_HEAD],
    /// Bytes of the head that are there.
    filled: usize,
    /// Bytes before the next head.
    skip: usize,
    /// When what is counted began.
    beat: u32,
    requests: u32,
    resets: u32,
    control: u32,
    windows: u32,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            head: [0; FRAME_HEAD],
            filled: 0,
            skip: PREFACE_REST,
            beat: 0,
            requests: 0,
            resets: 0,
            control: 0,
            windows: 0,
        }
    }
}

impl Http2 {
    pub(super) fn read(&mut self, mut bytes: &[u8], beat: u32) -> Result<(), Flood> {
        if beat != self.beat {
            self.beat = beat;
            (self.requests, self.resets) = (0, 0);
            (self.control, self.windows) = (0, 0);
        }
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (FRAME_HEAD - self.filled).min(bytes.len());
            self.head[self.filled..][..taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == FRAME_HEAD {
                let [high, middle, low, kind, flags, ..] = self.head;
                self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.filled = 0;
                self.frame(kind, flags)?;
            }
        }
        Ok(())
    }

    fn frame(&mut self, kind: u8, flags: u8) -> Result<(), Flood> {
        match kind {
            // DATA and CONTINUATION are bounded by h2.
            0 | 9 => {}
            1 => self.requests += 1,
            3 => self.resets += 1,
            6 if flags & ACK != 0 => self.control += UNASKED,
            8 => self.windows += 1,
            _ => self.control += 1,
        }
        if self.resets > RESETS && self.resets > self.requests / 2 {
            Err(Flood("http2_resets"))
        } else if self.control > CONTROL {
            Err(Flood("http2_control"))
        } else if self.windows > WINDOWS {
            Err(Flood("http2_windows"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![0, 0, u8::try_from(payload).unwrap(), kind, 0, 0, 0, 0, 1];
        frame.resize(FRAME_HEAD + payload, 7);
        frame
    }

    /// A connection after its preface.
    fn begun() -> Http2 {
        let mut http2 = Http2::default();
        http2.read(b"\r\nSM\r\n\r\n", 0).unwrap();
        http2
    }

    #[test]
    fn frames_are_told_apart_in_reads_of_any_size() {
        let bytes = [frame(1, 30), frame(0, 200), frame(3, 4), frame(6, 8)].concat();
        for size in 1..bytes.len() {
            let mut http2 = begun();
            for read in bytes.chunks(size) {
                http2.read(read, 0).unwrap();
            }
            let found = (http2.requests, http2.resets, http2.control);
            assert_eq!(found, (1, 1, 1), "in reads of {size}");
        }
    }

    #[test]
    fn floods_end_and_what_is_usual_goes_on() {
        let flood = |http2: &mut Http2, frames: &[Vec<u8>], times: u32, beat: u32| {
            (0..times).try_for_each(|_| http2.read(&frames.concat(), beat))
        };
        let reset = [frame(1, 10), frame(3, 4)];
        assert_eq!(
            flood(&mut begun(), &reset, 300, 0),
            Err(Flood("http2_resets"))
        );
        let some = [frame(1, 10), frame(1, 10), frame(1, 10), frame(3, 4)];
        assert_eq!(flood(&mut begun(), &some, 10_000, 0), Ok(()));
        let ping = [frame(6, 8)];
        assert_eq!(
            flood(&mut begun(), &ping, 1001, 0),
            Err(Flood("http2_control"))
        );
        let mut slowly = begun();
        for beat in 0..10 {
            assert_eq!(flood(&mut slowly, &ping, 900, beat), Ok(()));
        }
    }
}
