//! Who is at the other end of a connection.

use stoa_call::Principal;

/// A client: the principal of its certificate, or nobody yet.
pub(super) type Client = stoa_http::client::Client<Principal>;
