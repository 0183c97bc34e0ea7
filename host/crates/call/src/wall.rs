//! The time of day, of moments that the monotonic clock has been asked for already.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a thread goes on from what it last saw of the time of day: so much later it
/// learns that somebody has set it.
const TRUSTED: Duration = Duration::from_secs(1);

/// How far apart the two clocks may be asked.
const APART: Duration = Duration::from_millis(1);

/// A moment on both clocks.
type Both = (Instant, Duration);

thread_local! {
    static LAST: Cell<Option<Both>> = const { Cell::new(None) };
}

/// The time since the Unix epoch at a moment that has just been. It is as exact as the
/// system's, but for its being set.
pub(crate) fn at(moment: Instant) -> Duration {
    let known = LAST.get().filter(|(seen, _)| {
        let since = moment.checked_duration_since(*seen);
        since.is_some_and(|since| since < TRUSTED)
    });
    if let Some((seen, time)) = known {
        return time + (moment - seen);
    }
    let before = Instant::now();
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let (seen, time) = (Instant::now(), time.unwrap_or_default());
    // A thread that was held up between the two would be wrong for long.
    LAST.set((seen - before < APART).then_some((seen, time)));
    time.saturating_sub(seen - moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_system() -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
    }

    #[test]
    fn it_is_the_time_of_the_system() {
        // Until its thread is not held up.
        let (seen, time) = loop {
            let first = Instant::now();
            let now = at(first);
            assert!(now <= of_the_system());
            if let Some(last) = LAST.get() {
                break last;
            }
        };
        let later = seen + TRUSTED / 2;
        assert_eq!(at(later), time + TRUSTED / 2, "it is not asked again");
        at(seen + TRUSTED);
        assert_ne!(LAST.get(), Some((seen, time)), "it is asked again");
    }
}
