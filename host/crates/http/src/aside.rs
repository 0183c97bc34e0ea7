//! Work that few requests need, kept out of the way of those that don't.
//!
//! A future has room for whatever it may wait for, and the code that polls it a
//! stack frame for whatever it may build: one rare way makes every request's larger,
//! moves more memory for each and spoils more of the processor's cache.

use std::future::Future;
use std::pin::Pin;

use futures::future::BoxFuture;

/// Makes a future on the heap, in a frame of its own, and hides its type, so that
/// it is polled in a frame of its own too.
#[inline(never)]
pub fn aside<'a, F>(work: impl FnOnce() -> F) -> BoxFuture<'a, F::Output>
where
    F: Future + Send + 'a,
{
    Box::pin(work())
}

/// Makes a value on the heap, in a frame of its own.
#[inline(never)]
pub fn heaped<T>(make: impl FnOnce() -> T) -> Pin<Box<T>> {
    Box::pin(make())
}
