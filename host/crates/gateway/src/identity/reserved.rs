//! Names of callers that are not a token's to give: a service that finds one must be
//! able to rely on its kind.

use stoa_settings::config::tls::SUBJECTS;

/// Subject of who has the operator's token.
pub(super) const OPERATOR: &str = "operator";

/// What the subjects of API keys begin with.
const KEY: &str = "key:";

/// Why a token with such a subject is not accepted.
pub(super) const REASON: &str = "the token's subject is reserved for callers of another kind: \
     expected neither operator nor one that begins with key:, uri:, dns:, email: or cn:";

/// Whether a subject stands for a caller that no token made known.
pub(super) fn is_reserved(subject: &str) -> bool {
    let of_certificates = |subject: &str| SUBJECTS.iter().any(|kind| subject.starts_with(kind));
    subject == OPERATOR || subject.starts_with(KEY) || of_certificates(subject)
}
