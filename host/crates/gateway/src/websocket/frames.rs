//! Where the frames of a WebSocket begin, RFC 6455 section 5.2: only there may the
//! host say something of its own.

/// Control frame, its length, and the status 1001: the host goes away.
pub(super) const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];

const MASKED: u8 = 0x80;
/// Bytes of the longest head: two, a length of eight, a mask of four.
const LONGEST: usize = 14;

/// Follows one direction of a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; LONGEST],
    /// Bytes of the head that are there.
    filled: usize,
    /// Bytes before the next head.
    payload: u64,
}

impl Frames {
    /// Whether a frame may begin now.
    pub(super) fn are_between(&self) -> bool {
        self.filled == 0 && self.payload == 0
    }

    /// How many of the bytes belong to the frame that has begun; all of them if it
    /// does not end with them.
    pub(super) fn rest(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while !self.are_between() && at < bytes.len() {
            at += self.step(&bytes[at..]);
        }
        at
    }

    /// Goes on over bytes that come through.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// Takes the next bytes, at least one.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.payload > 0 {
            let here = usize::try_from(self.payload).map_or(bytes.len(), |it| it.min(bytes.len()));
            self.payload -= here as u64;
            return here;
        }
        self.head[self.filled] = bytes[0];
        self.filled += 1;
        if self.filled == self.head_length() {
            self.payload = self.length();
            self.filled = 0;
        }
        1
    }

    /// Bytes that the head has, as far as it is known.
    fn head_length(&self) -> usize {
        if self.filled < 2 {
            return 2;
        }
        let mask = if self.head[1] & MASKED == 0 { 0 } else { 4 };
        2 + self.extended() + mask
    }

    /// Bytes of the length that does not fit into the second byte.
    fn extended(&self) -> usize {
        match self.head[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn length(&self) -> u64 {
        let bytes = match self.extended() {
            0 => return u64::from(self.head[1] & !MASKED),
            extended => &self.head[2..2 + extended],
        };
        bytes
            .iter()
            .fold(0, |length, byte| length << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { MASKED } else { 0 };
        let mut frame = vec![0x82];
        match u16::try_from(length) {
            Ok(short @ 0..=125) => frame.push(mask | short as u8),
            Ok(medium) => {
                frame.push(mask | 126);
                frame.extend(medium.to_be_bytes());
            }
            Err(_) => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(if masked { &[7; 4][..] } else { &[] });
        frame.resize(frame.len() + length, 0x88);
        frame
    }

    #[test]
    fn frames_of_all_lengths_end_where_they_do_in_reads_of_any_size() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];
        for masked in [false, true] {
            for size in [1, 2, 3, 7, 1000, usize::MAX] {
                let mut frames = Frames::default();
                for length in lengths {
                    let frame = frame(length, masked);
                    let (last, before) = frame.split_last().unwrap();
                    for read in before.chunks(size.min(before.len())) {
                        frames.pass(read);
                    }
                    assert!(!frames.are_between(), "within one of {length}");
                    assert_eq!(frames.rest(&[*last, 0x88]), 1);
                    assert!(frames.are_between(), "after one of {length}");
                }
            }
        }
    }

    #[test]
    fn the_rest_of_a_frame_is_told_from_the_next_one() {
        let (first, second) = (frame(300, false), frame(5, false));
        let both = [first.clone(), second].concat();
        for at in 1..first.len() {
            let mut frames = Frames::default();
            frames.pass(&both[..at]);
            assert_eq!(frames.rest(&both[at..]), first.len() - at);
            assert_eq!(frames.rest(&both[first.len()..]), 0, "nothing has begun");
        }
    }
}
