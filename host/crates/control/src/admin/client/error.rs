//! Why the admin API could not be asked, or said no.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use stoa_api::{Fault, Problem};

/// A call of the admin API that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not an address.
    #[error("expected a host's address such as http://127.0.0.1:8081, found {found:?}")]
    Address {
        /// What was given.
        found: String,
    },
    /// Not a request that can be sent.
    #[error("the request can't be sent: {0}")]
    Request(String),
    /// Nobody there.
    #[error(
        "nothing answers at {address} ({cause}): start a host with `stoa serve` or `stoa up`, \
         or give the address of one with --host"
    )]
    Unreachable {
        /// What was tried.
        address: String,
        /// Why it failed.
        cause: String,
    },
    /// No token, or not the host's.
    #[error(
        "the host at {address} does not accept the token: it made one in the file `token` of its \
         data directory; name the directory with --data, or give the token in STOA_TOKEN"
    )]
    Unauthorized {
        /// Who was asked.
        address: String,
    },
    /// The host says no, and why.
    #[error("{}", refusal(.0))]
    Refused(Box<Problem>),
    /// An answer that no host gives.
    #[error("expected the admin API of a Stoa host at {address}, found {found}")]
    Foreign {
        /// Who was asked.
        address: String,
        /// What came.
        found: String,
    },
    /// The connection ended in the middle.
    #[error("the answer of {address} broke off: {cause}")]
    Broken {
        /// Who was asked.
        address: String,
        /// Why.
        cause: String,
    },
    /// The file to send can't be read.
    #[error("{} can't be read: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

impl ClientError {
    /// The failure of an exchange before there was a response.
    pub(super) fn of_exchange(address: &str, fault: &hyper_util::client::legacy::Error) -> Self {
        let address = address.to_owned();
        let cause = root(fault);
        if fault.is_connect() {
            Self::Unreachable { address, cause }
        } else {
            Self::Broken { address, cause }
        }
    }
}

/// The innermost cause: the outer ones only say that there is one.
fn root(fault: &(dyn Error + 'static)) -> String {
    let mut innermost = fault;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn refusal(problem: &Problem) -> String {
    let detail = problem.detail.as_ref().unwrap_or(&problem.title);
    let faults = &problem.faults;
    // A detail that is the faults themselves would tell them twice.
    let tells_all = faults.iter().all(|fault| detail.contains(&fault.message));
    let mut text = match faults.as_slice() {
        [] => detail.clone(),
        [one] if tells_all => return describe(one),
        several if tells_all => format!("the host refuses it for {} reasons:", several.len()),
        _ => detail.clone(),
    };
    for fault in faults {
        // Writing to a string can't fail.
        let _ = write!(text, "\n  {}", describe(fault));
    }
    if problem.status >= 500 && !problem.trace_id.is_empty() {
        let _ = write!(text, " (trace {} in the host's log)", problem.trace_id);
    }
    text
}

/// A fault in one line: the service, unless the reason begins with it, and the reason.
pub fn describe(fault: &Fault) -> String {
    let Fault {
        service, message, ..
    } = fault;
    let is_named = |service: &String| {
        let rest = message.strip_prefix(service.as_str());
        rest.is_some_and(|rest| {
            !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-')
        })
    };
    match service.as_ref().filter(|service| !is_named(service)) {
        Some(service) => format!("{service}: {message}"),
        None => message.clone(),
    }
}
