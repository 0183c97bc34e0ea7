//! From a client's certificate to who the client is.
//!
//! TLS has verified the certificate before anything here reads it.

use std::collections::BTreeMap;

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use stoa_call::Principal;

/// The client that a certificate names: by its first URI, as SPIFFE does, else its
/// first DNS name, e-mail address or common name. The prefix keeps the kinds apart.
/// `None` for a certificate that names nobody.
pub(super) fn principal(
    certificate: &CertificateDer<'_>,
    scopes: &BTreeMap<String, Vec<String>>,
) -> Option<Principal> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let subject = subject(&parsed)?;
    Some(Principal {
        scopes: scopes.get(&subject).cloned().unwrap_or_default(),
        subject,
        claims: vec![
            ("issuer".to_owned(), parsed.issuer().to_string()),
            ("serial".to_owned(), parsed.raw_serial_as_string()),
            (
                "fingerprint".to_owned(),
                format!("sha256:{}", hex::encode(Sha256::digest(certificate))),
            ),
        ],
    })
}

fn subject(certificate: &X509Certificate<'_>) -> Option<String> {
    let alternatives = certificate.subject_alternative_name().ok()?;
    let names = alternatives.map_or(&[][..], |list| &list.value.general_names);
    let first = |wanted: fn(&GeneralName<'_>) -> Option<String>| names.iter().find_map(wanted);
    first(|name| match name {
        GeneralName::URI(uri) => Some(format!("uri:{uri}")),
        _ => None,
    })
    .or_else(|| {
        first(|name| match name {
            GeneralName::DNSName(name) => Some(format!("dns:{name}")),
            _ => None,
        })
    })
    .or_else(|| {
        first(|name| match name {
            GeneralName::RFC822Name(address) => Some(format!("email:{address}")),
            _ => None,
        })
    })
    .or_else(|| {
        let mut names = certificate.subject().iter_common_name();
        let name = names.next()?.as_str().ok()?;
        Some(format!("cn:{name}"))
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(names: Vec<SanType>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params
            .distinguished_name
            .push(DnType::CommonName, "Order, Inc");
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn subject_of(names: Vec<SanType>) -> String {
        principal(&certificate(names), &BTreeMap::new())
            .unwrap()
            .subject
    }

    #[test]
    fn the_strongest_name_is_taken() {
        let uri = || SanType::URI("spiffe://shop/order".try_into().unwrap());
        let dns = || SanType::DnsName("order.shop".try_into().unwrap());
        let email = || SanType::Rfc822Name("order@shop".try_into().unwrap());
        assert_eq!(
            subject_of(vec![email(), dns(), uri()]),
            "uri:spiffe://shop/order"
        );
        assert_eq!(subject_of(vec![email(), dns()]), "dns:order.shop");
        assert_eq!(subject_of(vec![email()]), "email:order@shop");
        assert_eq!(subject_of(vec![]), "cn:Order, Inc");
    }

    #[test]
    fn scopes_go_by_the_whole_subject() {
        let scopes = BTreeMap::from([("cn:Order, Inc".to_owned(), vec!["orders:read".to_owned()])]);
        let found = principal(&certificate(vec![]), &scopes).unwrap();
        assert_eq!(found.scopes, ["orders:read"]);
        assert!(
            found
                .claims
                .iter()
                .any(|(name, value)| name == "fingerprint" && value.len() == "sha256:".len() + 64)
        );
    }
}
