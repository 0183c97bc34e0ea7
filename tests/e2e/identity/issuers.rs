//! Whose word counts, and for how long: names that are taken, keys that are kept while
//! an issuer is away, and several issuers.

use anyhow::{Context as _, Result};
use serde_json::json;
use stoa_tests::issuer::{Issuer, SigningKey};

use super::jwt::{ISSUER, claims, claims_with, config, trusting, trusting_url};
use super::{bearer, refused, seen};
use crate::{answered, host_with, rejections};

/// Names of callers that no token made known.
const RESERVED: [&str; 7] = [
    "operator",
    "key:0123456789ab",
    "key:",
    "uri:spiffe://shop/order",
    "dns:till.shop",
    "email:ann@shop.example",
    "cn:till",
];

#[tokio::test]
async fn a_token_can_not_name_a_caller_of_another_kind() -> Result<()> {
    let issuer = Issuer::start().await?;
    let key = SigningKey::ed("d")?;
    issuer.publish(&[&key]);
    let host = trusting_url(&issuer, "").await?;
    for subject in RESERVED {
        let token = key.token(&claims_with("sub", json!(subject)))?;
        for path in ["/open", "/known", "/scoped"] {
            let answer = bearer(&host, path, &token).await?;
            refused(&answer, 401, "invalid_token")?;
            assert!(
                answer.text().contains("reserved"),
                "{subject}: {}",
                answer.text()
            );
        }
        let made = host.cli(&["token", "--subject", subject]).await?;
        made.expect(1)?;
        assert!(made.stderr.contains("reserved"), "{}", made.stderr);
    }
    for subject in [
        "operators",
        "Operator",
        "keys",
        "spiffe://shop/order",
        "a:b",
    ] {
        let token = key.token(&claims_with("sub", json!(subject)))?;
        assert_eq!(
            seen(bearer(&host, "/known", &token).await?)?.subject,
            subject
        );
    }
    Ok(())
}

#[tokio::test]
async fn keys_outlive_a_restart_while_the_issuer_is_away() -> Result<()> {
    let issuer = Issuer::start().await?;
    let (key, next) = (SigningKey::ec("a")?, SigningKey::ec("b")?);
    issuer.publish(&[&key]);
    let host = trusting_url(&issuer, "").await?;
    let token = key.token(&claims())?;
    bearer(&host, "/known", &token).await?.expect(200)?;

    issuer.answer(None);
    let host = host.crash_and_restart().await?;
    bearer(&host, "/known", &token).await?.expect(200)?;
    host.output()
        .wait_for(|line| line.contains("can't be read") && line.contains("go on"))
        .await?;
    bearer(
        &host,
        "/known",
        &key.token(&claims_with("jti", json!("2")))?,
    )
    .await?
    .expect(200)?;
    // A key that was not among them is still unknown.
    let unknown = bearer(&host, "/known", &next.token(&claims())?).await?;
    refused(&unknown, 401, "invalid_token")?;

    // What the issuer takes back meanwhile is gone with the next answer.
    issuer.publish(&[&next]);
    issuer.asked_again(1).await?;
    let ask = async || bearer(&host, "/known", &token).await;
    answered(ask, |answer| answer.status != 200).await?;
    bearer(&host, "/known", &next.token(&claims())?)
        .await?
        .expect(200)?;
    Ok(())
}

#[tokio::test]
async fn keys_that_are_too_old_open_nothing() -> Result<()> {
    let issuer = Issuer::start().await?;
    let key = SigningKey::ec("a")?;
    issuer.publish(&[&key]);
    let host = trusting_url(&issuer, "refresh = \"200ms\"\nmax_stale = \"3s\"").await?;
    let token = key.token(&claims())?;
    bearer(&host, "/known", &token).await?.expect(200)?;

    issuer.answer(None);
    // Each answer is an event; the keys' seconds end while they come.
    let ask = async || bearer(&host, "/known", &token).await;
    let refusal = answered(ask, |answer| answer.status != 200).await?;
    // It is not the token's fault, and trying again may help.
    let problem = refusal.problem(503)?;
    assert_eq!(problem["code"], "stale_keys", "{problem}");
    refusal.header("retry-after")?;
    assert!(rejections(&host, "stale_keys", 1).await? >= 1);

    // Nor does a restart make them younger.
    let host = host.crash_and_restart().await?;
    bearer(&host, "/known", &token).await?.problem(503)?;
    issuer.publish(&[&key]);
    let ask = async || bearer(&host, "/known", &token).await;
    answered(ask, |answer| answer.status == 200).await?;
    Ok(())
}

#[tokio::test]
async fn several_issuers_each_have_their_own_keys_and_audiences() -> Result<()> {
    let (login, partner) = (Issuer::start().await?, Issuer::start().await?);
    let (ours, theirs) = (SigningKey::ed("k")?, SigningKey::ed("k")?);
    login.publish(&[&ours]);
    partner.publish(&[&theirs]);
    let more = format!(
        "jwks = \"{}\"\n[[jwt.issuers]]\nissuer = \"https://partner.example/\"\n\
         audience = [\"partners\", \"shop\"]\njwks = \"{}\"\nalgorithms = \"EdDSA\"\n",
        login.url(),
        partner.url()
    );
    let host = trusting(&more).await?;
    let of_partner = |audience: &str| {
        let mut claims = claims_with("iss", json!("https://partner.example/"));
        claims["aud"] = json!(audience);
        claims
    };
    for _ in 0..2 {
        bearer(&host, "/scoped", &ours.token(&claims())?)
            .await?
            .expect(200)?;
        let learned =
            seen(bearer(&host, "/scoped", &theirs.token(&of_partner("partners"))?).await?)?;
        assert_eq!(learned.subject, "alice");
        assert_eq!(
            learned.claims,
            ["aud=partners", "iss=https://partner.example/"]
        );
    }
    // Neither signs for the other, nor for the other's audience.
    for token in [
        theirs.token(&claims())?,
        ours.token(&of_partner("shop"))?,
        ours.token(&claims_with("aud", json!("partners")))?,
    ] {
        refused(&bearer(&host, "/open", &token).await?, 401, "invalid_token")?;
    }
    let metrics = host.admin()?.metrics().await?;
    for name in [ISSUER, "https://partner.example/"] {
        let age = format!("stoa_jwks_age_seconds{{issuer=\"{name}\"}} ");
        assert!(metrics.contains(&age), "{metrics}");
    }

    // One is away: the other's tokens do not feel it.
    partner.answer(None);
    bearer(
        &host,
        "/known",
        &ours.token(&claims_with("jti", json!("2")))?,
    )
    .await?
    .expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_list_of_issuers_is_checked_as_a_whole() -> Result<()> {
    let more = format!(
        "jwks = \"http://127.0.0.1:1/\"\n[[jwt.issuers]]\nissuer = \"{ISSUER}\"\naudience = \"a\"\n\
         jwks = \"b\"\n[[jwt.issuers]]\nissuer = \"https://half.example/\"\naudience = \"a\"\nkwjs = \"b\"\n"
    );
    let failed = host_with(&config(&more)).await;
    let reason = format!("{:#}", failed.err().context("it must not start")?);
    for expected in [
        "is in the list twice",
        "unknown key `kwjs` in [jwt.issuers]: did you mean `jwks`?",
        "\"https://half.example/\": its keys are missing",
    ] {
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    Ok(())
}
