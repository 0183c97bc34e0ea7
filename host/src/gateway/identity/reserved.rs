//! Names of callers that are not a token's to give: a service that finds one must be
//! able to rely on its kind.

/// Subject of who has the operator's token.
pub(super) const OPERATOR: &str = "operator";

/// What the subjects of API keys and of client certificates begin with.
const PREFIXES: [&str; 5] = ["key:", "uri:", "dns:", "email:", "cn:"];

/// Why a token with such a subject is not accepted.
pub(super) const REASON: &str = "the token's subject is reserved for callers of another kind: \
     expected neither operator nor one that begins with key:, uri:, dns:, email: or cn:";

/// Whether a subject stands for a caller that no token made known.
pub(super) fn is_reserved(subject: &str) -> bool {
    subject == OPERATOR || PREFIXES.iter().any(|prefix| subject.starts_with(prefix))
}
