//! Tokens of an issuer: every algorithm, every forgery, and keys that change or
//! can't be read.

mod development;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use stoa_tests::issuer::{Issuer, SigningKey, jwks};
use stoa_tests::process::HostProcess;
use tempfile::TempDir;

use super::{bearer, guarded, refused, seen, with};
use crate::host_with;

pub(super) const ISSUER: &str = "https://login.example.com/";

pub(super) fn config(rest: &str) -> String {
    format!("[jwt]\nissuer = \"{ISSUER}\"\naudience = \"shop\"\n{rest}\n")
}

pub(super) async fn trusting(rest: &str) -> Result<HostProcess> {
    let host = host_with(&config(rest)).await?;
    host.admin()?.deploy_all(&guarded()).await?;
    Ok(host)
}

/// A host that trusts the keys at this address.
pub(super) async fn trusting_url(issuer: &Issuer, rest: &str) -> Result<HostProcess> {
    trusting(&format!("jwks = \"{}\"\n{rest}", issuer.url())).await
}

pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

pub(super) fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "shop", "sub": "alice", "exp": now() + 600, "scope": "pings:read orders:read" })
}

pub(super) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn every_algorithm_is_accepted_with_its_key() -> Result<()> {
    let issuer = Issuer::start().await?;
    let keys = [
        SigningKey::rsa("r")?,
        SigningKey::ec("e")?,
        SigningKey::ed("d")?,
    ];
    issuer.publish(&keys.each_ref());
    let directory = TempDir::with_prefix("stoa-")?;
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "a secret of thirty-two bytes or more\n")?;
    let host = trusting_url(&issuer, &format!("secret_file = {secret:?}")).await?;

    let mut tokens = Vec::new();
    for key in &keys {
        tokens.push(key.token(&claims())?);
    }
    let hmac = EncodingKey::from_secret(b"a secret of thirty-two bytes or more");
    tokens.push(encode(&Header::new(Algorithm::HS256), &claims(), &hmac)?);
    for token in &tokens {
        // Twice: checked, then remembered.
        for _ in 0..2 {
            let seen = seen(bearer(&host, "/scoped", token).await?)?;
            assert_eq!(seen.subject, "alice");
            assert_eq!(seen.scopes, "orders:read pings:read");
            assert_eq!(seen.claims, ["aud=shop", &format!("iss={ISSUER}")]);
        }
        let shown = bearer(&host, "/headers/known", token)
            .await?
            .expect(200)?
            .text();
        assert!(
            shown.contains("x-stoa-principal: {\"subject\":\"alice\""),
            "{shown}"
        );
        assert!(!shown.contains(token.as_str()), "{shown}");
    }
    let few = keys[1].token(&claims_with("scope", json!("orders:read")))?;
    refused(
        &bearer(&host, "/scoped", &few).await?,
        403,
        "insufficient_scope",
    )
}

#[tokio::test]
async fn wrong_claims_are_refused_wherever_they_are_shown() -> Result<()> {
    let issuer = Issuer::start().await?;
    let key = SigningKey::ed("d")?;
    issuer.publish(&[&key]);
    let host = trusting_url(&issuer, "").await?;
    for (name, value) in [
        ("exp", json!(now() - 120)),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("nbf", json!(now() + 120)),
        ("aud", json!("other")),
        ("aud", json!(["other", "another"])),
        ("aud", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("")),
    ] {
        let token = key.token(&claims_with(name, value.clone()))?;
        for path in ["/open", "/known", "/scoped"] {
            let answer = bearer(&host, path, &token).await?;
            refused(&answer, 401, "invalid_token").with_context(|| format!("{name} {value}"))?;
        }
    }
    // Within the skew of 60 s, and with one audience of several.
    for (name, value) in [
        ("exp", json!(now() - 20)),
        ("nbf", json!(now() + 20)),
        ("aud", json!(["other", "shop"])),
    ] {
        let token = key.token(&claims_with(name, value))?;
        bearer(&host, "/scoped", &token).await?.expect(200)?;
    }
    // Of somebody else: it may be meant for the component.
    let foreign = key.token(&claims_with("iss", json!("https://other.example/")))?;
    let shown = bearer(&host, "/headers/open", &foreign)
        .await?
        .expect(200)?
        .text();
    assert!(
        shown.contains(&foreign) && !shown.contains("x-stoa"),
        "{shown}"
    );
    refused(
        &bearer(&host, "/known", &foreign).await?,
        401,
        "invalid_token",
    )
}

#[tokio::test]
async fn forged_tokens_are_never_accepted() -> Result<()> {
    let issuer = Issuer::start().await?;
    let (rsa, ec, other) = (
        SigningKey::rsa("r")?,
        SigningKey::ec("e")?,
        SigningKey::ec("e")?,
    );
    issuer.publish(&[&rsa, &ec]);
    let host = trusting_url(&issuer, "algorithms = \"RS256, ES256, HS256\"").await?;
    let good = ec.token(&claims())?;
    bearer(&host, "/scoped", &good).await?.expect(200)?;
    let parts: Vec<&str> = good.split('.').collect();

    let mut forged = vec![
        // Nobody signed it.
        format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims())),
        format!(
            "{}.{}.",
            part(&json!({ "alg": "None", "typ": "JWT" })),
            part(&claims())
        ),
        format!(
            "{}.{}.{}",
            part(&json!({ "alg": "none" })),
            parts[1],
            parts[2]
        ),
        format!("{}.{}.", parts[0], parts[1]),
        // Another key of the same name, and one that the token brings along.
        other.token(&claims())?,
        format!(
            "{}.{}.{}",
            parts[0],
            part(&claims_with("sub", json!("root"))),
            parts[2]
        ),
    ];
    let mut brought = Header::new(Algorithm::ES256);
    brought.jwk = Some(serde_json::from_value(other.jwk.clone())?);
    let signed = other.token(&claims())?;
    let signature = signed.rsplit('.').next().unwrap_or_default();
    forged.push(format!(
        "{}.{}.{signature}",
        part(&serde_json::to_value(&brought)?),
        part(&claims())
    ));
    // A public key taken for a secret.
    let public = rsa.jwk["n"].as_str().context("an RSA key has n")?;
    for secret in [
        public.as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(public)?,
        rsa.jwk.to_string().into_bytes(),
    ] {
        for id in [None, Some("r"), Some("e")] {
            let mut header = Header::new(Algorithm::HS256);
            header.kid = id.map(str::to_owned);
            forged.push(encode(
                &header,
                &claims(),
                &EncodingKey::from_secret(&secret),
            )?);
        }
    }
    // Extensions that nobody here understands.
    let critical = part(&json!({ "alg": "ES256", "kid": "e", "crit": ["b64"], "b64": false }));
    forged.push(format!("{critical}.{}.{}", parts[1], parts[2]));
    for token in &forged {
        for path in ["/open", "/known", "/scoped"] {
            refused(&bearer(&host, path, token).await?, 401, "invalid_token")
                .with_context(|| format!("{path} {token}"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn new_keys_are_found_when_a_token_names_them_and_old_ones_are_forgotten() -> Result<()> {
    let issuer = Issuer::start().await?;
    let (old, new) = (SigningKey::rsa("old")?, SigningKey::ed("new")?);
    issuer.publish(&[&old]);
    let host = trusting_url(&issuer, "").await?;
    let token = old.token(&claims())?;
    bearer(&host, "/scoped", &token).await?.expect(200)?;

    issuer.publish(&[&new]);
    bearer(&host, "/scoped", &token).await?.expect(200)?;
    bearer(&host, "/scoped", &new.token(&claims())?)
        .await?
        .expect(200)?;
    refused(
        &bearer(&host, "/scoped", &token).await?,
        401,
        "invalid_token",
    )?;

    // The issuer does not feel who makes up names of keys.
    let asked = issuer.asked();
    for n in 0..20 {
        let made_up = SigningKey::ed(&format!("made-up-{n}"))?.token(&claims())?;
        refused(
            &bearer(&host, "/open", &made_up).await?,
            401,
            "invalid_token",
        )?;
    }
    assert_eq!(issuer.asked(), asked);
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_is_away_locks_nobody_out() -> Result<()> {
    let issuer = Issuer::start().await?;
    let (key, next) = (SigningKey::ec("a")?, SigningKey::ec("b")?);
    // The host starts without it.
    let host = trusting_url(&issuer, "refresh = \"200ms\"").await?;
    let label = format!("stoa_jwks_age_seconds{{issuer=\"{ISSUER}\"}} ");
    let age = async || {
        let metrics = host.admin()?.metrics().await?;
        let age = metrics.lines().find_map(|line| line.strip_prefix(&label));
        Ok::<f64, anyhow::Error>(age.context("no age of keys")?.parse()?)
    };
    // Nobody can tell whether a token is good: that is not its client's fault.
    let refusal = bearer(&host, "/known", &key.token(&claims())?).await?;
    assert_eq!(refusal.problem(503)?["code"], "stale_keys");
    assert!(age().await?.is_infinite());
    issuer.publish(&[&key]);
    issuer.asked_again(2).await?;
    bearer(&host, "/known", &key.token(&claims())?)
        .await?
        .expect(200)?;

    for broken in [None, Some("not JSON".to_owned())] {
        issuer.answer(broken);
        issuer.asked_again(2).await?;
        let fresh = claims_with("jti", json!(issuer.asked()));
        bearer(&host, "/known", &key.token(&fresh)?)
            .await?
            .expect(200)?;
    }
    host.output()
        .wait_for(|line| line.contains("can't be read") && line.contains("go on"))
        .await?;
    let age = age().await?;
    assert!(age > 0.0 && age.is_finite(), "{age}");

    // Back, with another key: found without a token that asks for it.
    issuer.publish(&[&next]);
    issuer.asked_again(2).await?;
    bearer(&host, "/known", &next.token(&claims())?)
        .await?
        .expect(200)?;
    refused(
        &bearer(&host, "/known", &key.token(&claims())?).await?,
        401,
        "invalid_token",
    )
}

#[tokio::test]
async fn keys_may_be_in_a_file() -> Result<()> {
    let (old, new) = (SigningKey::rsa("old")?, SigningKey::rsa("new")?);
    let directory = TempDir::with_prefix("stoa-")?;
    let file = directory.path().join("jwks.json");
    std::fs::write(&file, jwks(&[&old]))?;
    let host = trusting(&format!("jwks = {file:?}")).await?;
    bearer(&host, "/scoped", &old.token(&claims())?)
        .await?
        .expect(200)?;
    std::fs::write(&file, jwks(&[&new]))?;
    bearer(&host, "/scoped", &new.token(&claims())?)
        .await?
        .expect(200)?;

    std::fs::remove_file(&file)?;
    let failed = host_with(&config(&format!("jwks = {file:?}"))).await;
    let reason = format!("{:#}", failed.err().context("it must not start")?);
    assert!(reason.contains("jwks.json can't be read"), "{reason}");
    let half = host_with("[jwt]\naudience = \"shop\"\njwks = \"keys.json\"\n").await;
    let reason = format!("{:#}", half.err().context("it must not start")?);
    assert!(reason.contains("jwt.issuer"), "{reason}");
    Ok(())
}
