//! What is known of a response's body before it is sent.

use bytes::Bytes;
use http_body::Body;

/// A body that may be there whole.
pub trait MaybeWhole: Body<Data = Bytes> {
    /// All of it, if it is there.
    fn as_whole(&self) -> Option<&Bytes>;
}
