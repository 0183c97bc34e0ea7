//! What a connection is doing, as seen from its beats.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::Tie;
use super::framing::{End, Flood};

/// Parts of the time that a client has to read: how exact its end is.
const PARTS: u32 = 4;
/// More than [`PARTS`], so that a part is over before its place is taken again.
const PLACES: usize = 8;

/// Shared by a connection's socket, its requests and its beats. All run on one
/// task, mostly: the order of these loads and stores does not matter.
///
/// `T` ties a call to the client.
pub struct Activity<T> {
    /// Beats so far.
    beat: AtomicU32,
    /// Requests that are being answered.
    serving: AtomicUsize,
    /// Requests so far.
    requests: AtomicU64,
    /// A part of a request's head has come, and not yet the rest.
    in_head: AtomicBool,
    /// The socket takes no more: the client does not read.
    blocked: AtomicBool,
    /// Bytes have left since the last beat.
    wrote: AtomicBool,
    /// Requests share the connection, each with a window of its own.
    http2: AtomicBool,
    /// Beats in a [part](PARTS) of the time to read.
    part: u32,
    /// Response bodies that wait for the client, by the part in which they began to.
    waiting: [AtomicU32; PLACES],
    /// What comes is HTTP no longer.
    left_http: AtomicBool,
    /// The client asked for too much.
    flood: OnceLock<Flood>,
    /// On HTTP/1, which has one call at a time: to the client.
    tie: T,
}

/// A request that is being answered, until it is dropped.
pub struct Serving<T: Tie> {
    activity: Arc<Activity<T>>,
    /// Its place among those that wait for the client.
    waits: Option<usize>,
    /// Of its call to the client.
    tie: T,
}

/// How many beats each thing may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A request's head.
    pub(super) head: u32,
    /// Having no request.
    pub(super) idle: u32,
    /// Taking nothing of a response.
    pub(super) read: u32,
}

/// What a beat finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// Nothing has happened for the idle timeout.
    Idle,
    /// A request's head has been on its way for the head's timeout.
    Stalled,
    /// The client does not read what it asked for.
    Unread,
}

/// Counts beats without progress.
pub(super) struct Watch {
    limits: Limits,
    requests: u64,
    stalled: u32,
    idle: u32,
    blocked: u32,
}

// === impl Activity ===

impl<T: Tie> Activity<T> {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            beat: AtomicU32::new(0),
            serving: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            in_head: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            wrote: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            part: limits.read.div_ceil(PARTS).max(1),
            waiting: Default::default(),
            left_http: AtomicBool::new(false),
            flood: OnceLock::new(),
            tie: T::default(),
        }
    }

    /// Notes that a request's head is complete.
    pub fn serve(self: &Arc<Self>) -> Serving<T> {
        self.serving.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        let tie = match self.is_http2() {
            true => T::default(),
            false => self.tie.clone(),
        };
        Serving {
            activity: Arc::clone(self),
            waits: None,
            tie,
        }
    }

    /// Notes that the connection carries another protocol after the request that it has.
    pub fn leaves_http(&self) {
        self.left_http.store(true, Ordering::Relaxed);
    }

    /// Whether what comes has no framing of HTTP.
    pub(super) fn has_left_http(&self) -> bool {
        self.left_http.load(Ordering::Relaxed)
    }

    /// What ties the call of an HTTP/1 connection to its client.
    pub(super) fn tie(&self) -> &T {
        &self.tie
    }

    /// Whether requests share the connection.
    pub fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    /// The number of the beat.
    pub(super) fn beat(&self) -> u32 {
        self.beat.load(Ordering::Relaxed)
    }

    /// Notes where the bytes that have come so far end.
    pub(super) fn received(&self, end: End) {
        self.in_head.store(end == End::InHead, Ordering::Relaxed);
        if end == End::Http2 {
            self.http2.store(true, Ordering::Relaxed);
        }
    }

    /// Notes whether the socket took what it was given.
    pub(super) fn sent(&self, taken: bool) {
        self.blocked.store(!taken, Ordering::Relaxed);
        if taken {
            self.wrote.store(true, Ordering::Relaxed);
        }
    }

    /// The number of requests so far, if all of them are answered, one after the other.
    pub(super) fn answered(&self) -> Option<u64> {
        let between = !self.is_http2() && self.serving.load(Ordering::Relaxed) == 0;
        between.then(|| self.requests.load(Ordering::Relaxed))
    }

    /// The number of requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Notes that the client asks for too much.
    pub(super) fn flooded(&self, flood: Flood) {
        // The first reason counts.
        let _ = self.flood.set(flood);
    }

    /// What the client asked too much of.
    pub(super) fn flood(&self) -> Option<Flood> {
        self.flood.get().copied()
    }

    /// Whether a part of a request's head has come, and not yet the rest.
    pub(super) fn is_in_head(&self) -> bool {
        self.in_head.load(Ordering::Relaxed)
    }

    fn place(&self, parts_ago: u32) -> usize {
        (self.beat() / self.part).wrapping_sub(parts_ago) as usize % PLACES
    }

    /// Whether a response body has waited for the client all the time it has. Whole
    /// parts are counted, the one in which it began is not.
    fn is_forgotten(&self) -> bool {
        self.waiting[self.place(PARTS + 1)].load(Ordering::Relaxed) > 0
    }
}

// === impl Serving ===

impl<T: Tie> Serving<T> {
    /// What ties its call to the client.
    pub fn tie(&self) -> &T {
        &self.tie
    }

    /// Notes that more of the response is there, and waits for the client to take
    /// it. On HTTP/1 the socket tells; on HTTP/2 each stream has a window.
    pub fn waits_for_client(&mut self) {
        if self.activity.is_http2() {
            self.waits_for_service();
            let place = self.activity.place(0);
            self.activity.waiting[place].fetch_add(1, Ordering::Relaxed);
            self.waits = Some(place);
        }
    }

    /// Notes that the client has all that there is of the response.
    pub fn waits_for_service(&mut self) {
        if let Some(place) = self.waits.take() {
            self.activity.waiting[place].fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<T: Tie> Drop for Serving<T> {
    fn drop(&mut self) {
        self.waits_for_service();
        self.tie.loosen();
        self.activity.serving.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            requests: 0,
            stalled: 0,
            idle: 0,
            blocked: 0,
        }
    }

    pub(super) fn beat(&mut self, activity: &Activity<impl Tie>) -> Verdict {
        activity.beat.fetch_add(1, Ordering::Relaxed);
        if self.is_unread(activity) {
            return Verdict::Unread;
        }
        let requests = activity.requests.load(Ordering::Relaxed);
        let progress = requests != self.requests || activity.serving.load(Ordering::Relaxed) > 0;
        self.requests = requests;
        if progress {
            self.stalled = 0;
            self.idle = 0;
            return Verdict::Fine;
        }
        // A client that connects and says nothing is as stuck as one in mid-head.
        if activity.is_in_head() || requests == 0 {
            self.stalled += 1;
            return if self.stalled > self.limits.head {
                Verdict::Stalled
            } else {
                Verdict::Fine
            };
        }
        self.stalled = 0;
        self.idle += 1;
        if self.idle >= self.limits.idle {
            self.idle = 0;
            Verdict::Idle
        } else {
            Verdict::Fine
        }
    }

    fn is_unread(&mut self, activity: &Activity<impl Tie>) -> bool {
        let wrote = activity.wrote.swap(false, Ordering::Relaxed);
        if wrote || !activity.blocked.load(Ordering::Relaxed) {
            self.blocked = 0;
        } else {
            self.blocked += 1;
        }
        self.blocked > self.limits.read || activity.is_forgotten()
    }
}

#[cfg(test)]
mod tests;
