//! Who is at the other end of a connection.

use stoa_call::{Principal, Tie};
use stoa_http::connection;

/// A client: the principal of its certificate, or nobody yet.
pub(super) type Client = stoa_http::client::Client<Principal>;
/// What its connection is doing.
pub(super) type Activity = connection::Activity<Tie>;
/// A request of it that is being answered.
pub(super) type Serving = connection::Serving<Tie>;
