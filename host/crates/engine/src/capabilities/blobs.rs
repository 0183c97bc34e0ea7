//! `wasi:blobstore`: objects in containers, written and read as streams.
//!
//! A container belongs to a service, as a bucket does: `pictures` is the service's own,
//! `product/pictures` another one's, for which a grant is needed. What was granted can be
//! read; it is written by its owner alone, as it counts as its owner's.
//!
//! An object is there once its value is finished, as a whole. What a guest and the disk
//! are not done with is a few pieces: each side waits for the other.

mod draft;
mod error;
mod incoming;
mod limits;
mod naming;
mod outgoing;
mod store;

#[cfg(test)]
mod tests;

pub use self::limits::Limits;

pub(super) use self::draft::add_to_linker;
