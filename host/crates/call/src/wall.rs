//! The time of day, of moments that the monotonic clock has been asked for already.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a thread goes on from what it last saw of the time of day: so much later it
/// learns that somebody has set it.
const TRUSTED: Duration = Duration::from_secs(1);

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
    match known {
        Some((seen, time)) => time + (moment - seen),
        None => {
            let time = SystemTime::now().duration_since(UNIX_EPOCH);
            let (seen, time) = (Instant::now(), time.unwrap_or_default());
            LAST.set(Some((seen, time)));
            time.saturating_sub(seen - moment)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_system() -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
    }

    #[test]
    fn it_is_the_time_of_the_system() {
        // The two clocks are not asked at once.
        const BETWEEN: Duration = Duration::from_millis(100);
        let (before, first) = (of_the_system(), Instant::now());
        let at_first = at(first);
        assert!(at_first <= of_the_system() && at_first + BETWEEN >= before);
        let (seen, time) = LAST.get().unwrap();
        let later = seen + TRUSTED / 2;
        assert_eq!(at(later), time + TRUSTED / 2, "it is not asked again");
        at(seen + TRUSTED);
        assert!(LAST.get().unwrap().0 > seen, "it is asked again");
    }
}
