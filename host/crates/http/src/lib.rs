//! HTTP without a word of Stoa.
//!
//! - [`listener`]: accepting connections, which no error ends;
//! - [`shutdown`]: the end of a process, and waiting for what is under way;
//! - [`aside`](mod@aside): work that few requests need, out of the way of the others.

pub mod aside;
pub mod listener;
pub mod shutdown;
