//! From a client's certificate to who the client is.
//!
//! TLS has verified the certificate before anything here reads it.

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// The client that a certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// By its first URI, as SPIFFE does, else its first DNS name, e-mail address or common
    /// name: `uri:…`, `dns:…`, `email:…` or `cn:…`. The prefix keeps the kinds apart.
    pub subject: String,
    /// The distinguished name of who signed it.
    pub issuer: String,
    /// Its serial number, in hexadecimal digits with colons between.
    pub serial: String,
    /// `sha256:` and the hash of all of it, in hexadecimal digits.
    pub fingerprint: String,
}

impl Identity {
    /// `None` for a certificate that names nobody.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        Some(Self {
            subject: subject(&parsed)?,
            issuer: parsed.issuer().to_string(),
            serial: parsed.raw_serial_as_string(),
            fingerprint: format!("sha256:{}", hex::encode(Sha256::digest(certificate))),
        })
    }
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
        Identity::of(&certificate(names)).unwrap().subject
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
    fn the_fingerprint_is_of_the_whole_certificate() {
        let found = Identity::of(&certificate(vec![])).unwrap();
        let digits = found.fingerprint.strip_prefix("sha256:").unwrap();
        assert_eq!(digits.len(), 64);
    }
}
