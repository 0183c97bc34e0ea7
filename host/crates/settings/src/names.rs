//! Names that settings hold, and what may be granted by them.

/// Checks a service's name, which stands in metrics, paths and host names.
///
/// # Errors
///
/// What was expected and what was found. The rule is that of DNS labels (RFC 1035).
pub fn service_name(name: &str) -> Result<&str, String> {
    let letters = name
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if letters && name.len() <= 63 && name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Ok(name);
    }
    Err(format!(
        "expected a service name of lower-case letters, digits and dashes that begins with a letter and has 63 \
         characters at most, found {name:?}"
    ))
}

/// Checks a grant of buckets: `product`, or `product/stock`.
///
/// # Errors
///
/// What was expected and what was found.
pub fn bucket_grant(grant: &str) -> Result<(), String> {
    if is_grant(grant) {
        return Ok(());
    }
    Err(format!(
        "expected a service, such as \"product\", for all of its buckets, or one, such as \"product/stock\", found \
         {grant:?}"
    ))
}

/// Checks a grant of containers: `product`, or `product/pictures`.
///
/// # Errors
///
/// What was expected and what was found.
pub fn container_grant(grant: &str) -> Result<(), String> {
    if is_grant(grant) {
        return Ok(());
    }
    Err(format!(
        "expected a service, such as \"product\", to read all of its containers, or one, such as \
         \"product/pictures\", found {grant:?}"
    ))
}

/// Checks a secret's name, which stands in paths.
///
/// # Errors
///
/// What was expected and what was found.
pub fn secret_name(name: &str) -> Result<(), String> {
    // As long as any other name that people type.
    const LONGEST: usize = 128;
    let letters = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if letters && begins && name.len() <= LONGEST {
        return Ok(());
    }
    Err(format!(
        "expected a secret's name of letters, digits, `.`, `_` and `-` that begins with a letter or a digit and has \
         {LONGEST} characters at most, found {name:?}"
    ))
}

/// Whether it is a service, or something of one.
fn is_grant(grant: &str) -> bool {
    let (service, part) = match grant.split_once('/') {
        Some((service, part)) => (service, Some(part)),
        None => (grant, None),
    };
    let names_one = part.is_none_or(|part| !part.is_empty() && !part.contains(['/', '*']));
    names_one && service_name(service).is_ok()
}
