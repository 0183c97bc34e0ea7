//! The host's own certificates, found by the name that a client asks for.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::watch::{File, Pair};

/// Bits of an RSA key at least: shorter ones can be broken, and no verifier of today takes
/// them.
const RSA_BITS: usize = 2048;

/// Certificates with their keys.
#[derive(Debug)]
pub(super) struct Certificates {
    /// In lower case; a name such as `*.example.com` stands for all one label below.
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// For a client that names no host, or one that nobody knows.
    first: Arc<CertifiedKey>,
}

impl Certificates {
    /// Reads certificates and keys. Of two with the same name the first gets it.
    ///
    /// # Errors
    /// Which file can't be used, and why.
    pub(super) fn new(pairs: &[Pair], provider: &CryptoProvider) -> Result<Self> {
        let mut by_name = HashMap::new();
        let mut first = None;
        for pair in pairs {
            let certified = Arc::new(certified(pair, provider)?);
            for name in names(&certified.cert[0], pair)? {
                by_name.entry(name).or_insert_with(|| certified.clone());
            }
            first.get_or_insert(certified);
        }
        let first = first.context("expected a certificate of the host's own, found none")?;
        Ok(Self { by_name, first })
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.find(name));
        Some(named.unwrap_or(&self.first).clone())
    }
}

/// The certificates of a file, in their order.
pub(super) fn chain(file: &File) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.text).collect();
    let chain = read.with_context(|| format!("{} is no PEM", file.path.display()))?;
    if chain.is_empty() {
        bail!(
            "expected a certificate in {}, found no BEGIN CERTIFICATE",
            file.path.display()
        );
    }
    Ok(chain)
}

/// Refuses a certificate whose RSA key is shorter than any TLS client or this host's own
/// verifier takes.
pub(super) fn check_length(certificate: &CertificateDer<'_>, file: &File) -> Result<()> {
    let path = file.path.display();
    let (_, parsed) = X509Certificate::from_der(certificate)
        .with_context(|| format!("{path} holds no X.509 certificate"))?;
    match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < RSA_BITS => bail!(
            "expected an RSA key of {RSA_BITS} bits at least in the certificate in {path}, found {}",
            key.key_size()
        ),
        _ => Ok(()),
    }
}

fn certified(pair: &Pair, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let path = pair.key.path.display();
    let key = PrivateKeyDer::from_pem_slice(&pair.key.text)
        .with_context(|| format!("expected a private key in {path}"))?;
    let chain = chain(&pair.cert)?;
    check_length(&chain[0], &pair.cert)?;
    CertifiedKey::from_der(chain, key, provider).with_context(|| {
        format!(
            "the key in {path} does not go with the certificate in {}",
            pair.cert.path.display()
        )
    })
}

/// The DNS names of a certificate. One that is not valid now is told of: a client
/// will refuse it, but it may be all there is.
fn names(certificate: &CertificateDer<'_>, pair: &Pair) -> Result<Vec<String>> {
    let path = pair.cert.path.display();
    let (_, parsed) = X509Certificate::from_der(certificate)
        .with_context(|| format!("{path} holds no X.509 certificate"))?;
    let validity = parsed.validity();
    if !validity.is_valid() {
        tracing::warn!(
            "the certificate in {path} is not valid now: it is from {} to {}",
            validity.not_before,
            validity.not_after
        );
    }
    let alternatives = parsed
        .subject_alternative_name()
        .with_context(|| format!("the certificate in {path} has several lists of names"))?;
    let names = alternatives
        .iter()
        .flat_map(|list| &list.value.general_names);
    Ok(names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its key has 1024 bits, made by OpenSSL: what makes certificates for tests makes no
    /// such keys.
    const SHORT: &str = "\
-----BEGIN CERTIFICATE-----
MIICGDCCAYGgAwIBAgIUBita7ZmOytNM0gPd+GmAwqiaq1YwDQYJKoZIhvcNAQEL
BQAwEDEOMAwGA1UEAwwFc2hvcnQwIBcNMjYxMTI3MjMwOTA3WhgPMjEyNjExMDMy
MzA5MDdaMBAxDjAMBgNVBAMMBXNob3J0MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB
iQKBgQCzx67bfiB7+dWaKDbv/Jpwzlub7mgK7aDiYpBjoNDBAwKC92gXGwTiZxuN
I4fiDuxiv5NlQHCWHZIUauyVAOsCLYxdlI6Nd/cicuWCs3aVCEf9uYBoUli8keAU
R6z+NIKiPTNKMz1+vE3stG564znyg7vYzTlJ8yYhZ8taI+KkSwIDAQABo20wazAd
BgNVHQ4EFgQUBe0zp9zvFgz2nedQYA8awO0RqnkwHwYDVR0jBBgwFoAUBe0zp9zv
Fgz2nedQYA8awO0RqnkwDwYDVR0TAQH/BAUwAwEB/zAYBgNVHREEETAPgg1zaG9y
dC5leGFtcGxlMA0GCSqGSIb3DQEBCwUAA4GBAI3RK61C4Xqr8AdDNbefwjjTtVXh
yBbSMG0g0SoautFls2VRKPDk2AVrdaq0Dmor/NS6srJLt8NlyeB9BJMnnrytr1gD
A8t65SoG0Ee6eCR3zfjKOw6dMhal9Rhs5kiy2qqRF8QCTD7vLBwUh91PFJEiXjua
HnbUl8rsgLeZoVLS
-----END CERTIFICATE-----
";

    #[test]
    fn a_short_rsa_key_is_refused() {
        let file = |text: &str| File {
            path: "a.pem".into(),
            text: text.into(),
        };
        let short = file(SHORT);
        let certificate = chain(&short).unwrap();
        let fault = check_length(&certificate[0], &short).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "expected an RSA key of 2048 bits at least in the certificate in a.pem, found 1024"
        );
        // Whatever its key is, it is refused for what it is itself.
        let pair = Pair {
            cert: short,
            key: file(&rcgen::KeyPair::generate().unwrap().serialize_pem()),
        };
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let fault = certified(&pair, &provider).unwrap_err().to_string();
        assert!(fault.contains("found 1024"), "{fault}");

        let pair =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
        let params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        let good = params.self_signed(&pair.unwrap()).unwrap();
        check_length(good.der(), &file("")).unwrap();
    }
}
