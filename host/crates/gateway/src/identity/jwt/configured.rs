//! The issuers of the host's settings.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};

use super::records::JwksRecords;
use stoa_http::jwt::{
    Algorithm, Freshness, JwksCache, JwksFetcher, JwksSource, LEAST_HS256_SECRET, TokenPolicy,
    TokenVerifier, VerificationKey,
};
use stoa_settings::config;
use stoa_store::Records;

/// Checks the tokens of an issuer of the settings.
///
/// # Errors
/// When a file can't be read or holds no keys.
pub(super) async fn configured(
    settings: &config::Issuer,
    records: &Arc<dyn Records>,
) -> anyhow::Result<TokenVerifier> {
    let issuer = settings.name.clone().unwrap_or_default();
    let public = match &settings.jwks {
        None => None,
        Some(from) => {
            let source = source(&issuer, from, records)?;
            let freshness = Freshness {
                refresh: settings.refresh,
                max_stale: settings.max_stale(),
            };
            Some(Arc::new(JwksCache::open(&issuer, source, freshness).await?))
        }
    };
    let secret = settings.secret_file.as_deref().map(secret).transpose()?;
    let policy = TokenPolicy {
        issuer,
        audience: settings.audience.clone(),
        algorithms: settings.algorithms.iter().copied().map(algorithm).collect(),
        skew: settings.skew,
    };
    Ok(TokenVerifier::new(policy, secret, public))
}

fn source(
    issuer: &str,
    from: &config::Jwks,
    records: &Arc<dyn Records>,
) -> anyhow::Result<JwksSource> {
    Ok(match from {
        config::Jwks::File(path) => JwksSource::File(path.clone()),
        config::Jwks::Url(url) => JwksSource::Url {
            fetcher: Box::new(JwksFetcher::new(url)?),
            store: Box::new(JwksRecords::new(records.clone(), issuer, url)),
        },
    })
}

fn algorithm(of: config::Algorithm) -> Algorithm {
    match of {
        config::Algorithm::Rs256 => Algorithm::RS256,
        config::Algorithm::Es256 => Algorithm::ES256,
        config::Algorithm::EdDsa => Algorithm::EdDSA,
        config::Algorithm::Hs256 => Algorithm::HS256,
    }
}

fn secret(file: &Path) -> anyhow::Result<VerificationKey> {
    let bytes = std::fs::read(file).with_context(|| {
        format!(
            "the secret of jwt.secret_file can't be read: {}",
            file.display()
        )
    })?;
    let secret = bytes.trim_ascii_end();
    ensure!(
        secret.len() >= LEAST_HS256_SECRET,
        "expected a secret of {LEAST_HS256_SECRET} bytes at least for HS256, found {} in {}",
        secret.len(),
        file.display()
    );
    Ok(VerificationKey::hs256(secret))
}
