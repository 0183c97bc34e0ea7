//! Upper bounds of the histograms' buckets, each list with its reason.
//!
//! All are in nanoseconds and ascending; the last bucket, without a bound, is
//! implied.

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;
const S: u64 = 1_000 * MS;

/// OpenTelemetry's advice for HTTP servers (5 ms to 10 s), and finer below: most
/// answers of a warm instance take tens of microseconds.
pub(super) const REQUEST: &[u64] = &[
    50 * US,
    100 * US,
    250 * US,
    500 * US,
    MS,
    2_500 * US,
    5 * MS,
    10 * MS,
    25 * MS,
    50 * MS,
    75 * MS,
    100 * MS,
    250 * MS,
    500 * MS,
    750 * MS,
    S,
    2_500 * MS,
    5 * S,
    7_500 * MS,
    10 * S,
];

/// A call between services starts at a microsecond, and waits as a request does.
pub(super) const CALL: &[u64] = &[
    US,
    2_500,
    5 * US,
    10 * US,
    25 * US,
    50 * US,
    100 * US,
    250 * US,
    500 * US,
    MS,
    2_500 * US,
    5 * MS,
    10 * MS,
    25 * MS,
    50 * MS,
    100 * MS,
    250 * MS,
    500 * MS,
    S,
    2_500 * MS,
    5 * S,
    10 * S,
];

/// A wait for an instance: nothing that matters is under 10 µs, nothing outlives
/// a request's deadline by much.
pub(super) const QUEUE_WAIT: &[u64] = &[
    10 * US,
    50 * US,
    100 * US,
    250 * US,
    500 * US,
    MS,
    2_500 * US,
    5 * MS,
    10 * MS,
    25 * MS,
    50 * MS,
    100 * MS,
    250 * MS,
    500 * MS,
    S,
    2_500 * MS,
    5 * S,
    10 * S,
];

/// Copy-on-write instantiation takes tens of microseconds; a component that runs
/// an interpreter's start, tens of milliseconds.
pub(super) const INSTANTIATE: &[u64] = &[
    5 * US,
    10 * US,
    25 * US,
    50 * US,
    100 * US,
    250 * US,
    500 * US,
    MS,
    2_500 * US,
    5 * MS,
    10 * MS,
    25 * MS,
    50 * MS,
    100 * MS,
];

/// From a swap of a pointer (a microsecond or so) over the compilation of a large
/// component to a drain up to its deadline (30 s by default).
pub(super) const DEPLOY_STEP: &[u64] = &[
    100 * US,
    MS,
    5 * MS,
    10 * MS,
    25 * MS,
    50 * MS,
    100 * MS,
    250 * MS,
    500 * MS,
    S,
    2_500 * MS,
    5 * S,
    10 * S,
    30 * S,
    60 * S,
];

/// From a look at a few keys to a night's report.
pub(super) const SCHEDULE_RUN: &[u64] = &[
    MS,
    5 * MS,
    25 * MS,
    100 * MS,
    500 * MS,
    S,
    5 * S,
    30 * S,
    60 * S,
    300 * S,
    1800 * S,
    3600 * S,
];

/// From a fast NVMe disk's `fsync` to a disk in distress.
pub(super) const FLUSH: &[u64] = &[
    50 * US,
    100 * US,
    250 * US,
    500 * US,
    MS,
    2_500 * US,
    5 * MS,
    10 * MS,
    25 * MS,
    50 * MS,
    100 * MS,
    250 * MS,
    500 * MS,
    S,
    5 * S,
];
