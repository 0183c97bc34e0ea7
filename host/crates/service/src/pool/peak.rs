//! How many instances were in use at the same time, lately.

/// Windows that are looked back on. With a window every ten seconds a burst
/// keeps its instances for a minute: the time in which the next one is likely.
const WINDOWS: usize = 6;

/// The highest use in each of the last windows.
#[derive(Debug, Default)]
pub(super) struct Peak {
    past: [u32; WINDOWS],
    current: u32,
    next: usize,
}

impl Peak {
    /// Notes that `busy` instances are in use now.
    pub(super) fn record(&mut self, busy: u32) {
        self.current = self.current.max(busy);
    }

    /// Ends the current window and returns the peak of all that are remembered.
    pub(super) fn roll(&mut self, busy: u32) -> u32 {
        let peak = self.past.iter().copied().fold(self.current, u32::max);
        self.past[self.next] = self.current;
        self.next = (self.next + 1) % WINDOWS;
        self.current = busy;
        peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_remembered_for_its_windows_and_then_forgotten() {
        let mut peak = Peak::default();
        peak.record(7);
        peak.record(3);
        assert_eq!(peak.roll(1), 7);
        for _ in 0..WINDOWS {
            assert_eq!(peak.roll(1), 7, "still within the windows");
        }
        assert_eq!(peak.roll(1), 1);
    }
}
