//! API keys, from made to revoked; what every credential has in common.

use anyhow::Result;
use http::Method;
use serde_json::json;
use stoa_tests::client::empty;
use stoa_tests::process::HostProcess;

use super::{bearer, guarded, refused, seen, with};
use crate::{host, serving};

/// Makes a key by the command line; the key and its id.
async fn new_key(host: &HostProcess, arguments: &[&str]) -> Result<(String, String)> {
    let made = host.cli(&[&["key", "new"], arguments].concat()).await?;
    let key = made.expect(0)?.trim().to_owned();
    let id = key.split('_').nth(1).unwrap_or_default().to_owned();
    Ok((key, id))
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_open() -> Result<()> {
    let host = serving(&guarded()).await?;
    let (key, id) = new_key(&host, &["ci", "--scope", "pings:read", "--scope", "b"]).await?;
    for path in ["/open", "/known", "/scoped"] {
        for headers in [
            [("authorization", format!("Bearer {key}"))],
            [("x-api-key", key.clone())],
        ] {
            let headers = headers
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let seen = seen(with(&host, path, &headers).await?)?;
            assert_eq!(seen.subject, format!("key:{id}"), "{path}");
            assert_eq!(seen.scopes, "pings:read b");
            assert_eq!(seen.claims, ["key_name=ci"]);
        }
    }
    let (other, _) = new_key(&host, &["other"]).await?;
    bearer(&host, "/known", &other).await?.expect(200)?;
    let answer = bearer(&host, "/scoped", &other).await?;
    refused(&answer, 403, "insufficient_scope")?;
    assert!(
        answer
            .header("www-authenticate")?
            .contains("scope=\"pings:read\"")
    );

    refused(&host.get("/known").await?, 401, "unauthorized")?;
    refused(&host.get("/scoped").await?, 401, "unauthorized")?;
    assert_eq!(seen(host.get("/open").await?)?.subject, "nobody");
    let metrics = host.admin()?.metrics().await?;
    for line in [
        "stoa_rejected_total{reason=\"unauthorized\"} 2",
        "stoa_rejected_total{reason=\"forbidden\"} 1",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    Ok(())
}

#[tokio::test]
async fn a_credential_of_ours_is_valid_or_refused_and_a_foreign_one_goes_on() -> Result<()> {
    let host = serving(&guarded()).await?;
    let (key, _) = new_key(&host, &["ci"]).await?;
    let mangled = format!("{}0", &key[..key.len() - 1]);
    let mangled = if mangled == key {
        key.replace("stoa_", "stoa_0")
    } else {
        mangled
    };
    refused(
        &bearer(&host, "/open", &mangled).await?,
        401,
        "invalid_token",
    )?;
    refused(
        &with(&host, "/open", &[("x-api-key", "stoa_no_key")]).await?,
        401,
        "invalid_token",
    )?;
    for foreign in ["Basic YTpi", "Bearer foreign", "Digest x"] {
        let answer = with(&host, "/headers/open", &[("authorization", foreign)]).await?;
        let shown = answer.expect(200)?.text();
        assert!(
            shown.contains(&format!("authorization: {foreign}")),
            "{shown}"
        );
        assert!(!shown.contains("x-stoa-"), "{shown}");
        let closed = with(&host, "/known", &[("authorization", foreign)]).await?;
        closed.problem(401)?;
    }
    let both = [
        ("authorization", format!("Bearer {key}")),
        ("x-api-key", key.clone()),
    ];
    let both = both.each_ref().map(|(name, value)| (*name, value.as_str()));
    refused(&with(&host, "/open", &both).await?, 400, "bad_request")
}

/// On a public route, too: what is no use to the gateway would be shown to others.
#[tokio::test]
async fn a_credential_that_is_misplaced_goes_no_further() -> Result<()> {
    let host = serving(&guarded()).await?;
    let (key, _) = new_key(&host, &["ci"]).await?;
    let operator = host.admin()?.token;
    let bearer = |token: &str| format!("Bearer {token}");
    for token in [bearer(&operator), bearer(&token_of(&host).await?)] {
        let both = [("authorization", token.as_str()), ("x-api-key", &key)];
        refused(
            &with(&host, "/headers/open", &both).await?,
            400,
            "bad_request",
        )?;
    }
    let development = token_of(&host).await?;
    for (name, value) in [
        ("x-api-key", operator.clone()),
        ("x-api-key", bearer(&operator)),
        ("x-api-key", development.clone()),
        ("x-api-key", bearer(&key)),
        ("authorization", key.clone()),
        ("authorization", operator.clone()),
        ("authorization", development.clone()),
    ] {
        let answer = with(&host, "/headers/open", &[(name, &value)]).await?;
        refused(&answer, 401, "invalid_token")?;
    }
    let foreign = [("authorization", "Bearer theirs"), ("x-api-key", &key)];
    let shown = with(&host, "/headers/open", &foreign)
        .await?
        .expect(200)?
        .text();
    assert!(shown.contains("Bearer theirs"), "{shown}");
    Ok(())
}

async fn token_of(host: &HostProcess) -> Result<String> {
    let token = host.cli(&["token", "--subject", "ann"]).await?;
    Ok(token.expect(0)?.trim().to_owned())
}

#[tokio::test]
async fn a_handler_learns_the_caller_from_a_header_that_no_client_can_set() -> Result<()> {
    let host = serving(&guarded()).await?;
    let (key, id) = new_key(&host, &["Zoë's", "--scope", "a"]).await?;
    let forged = "{\"subject\":\"operator\"}";
    for name in [
        "x-stoa-principal",
        "X-Stoa-Principal",
        "x-stoa-anything",
        "x_stoa_principal",
    ] {
        let answer = with(&host, "/headers/open", &[(name, forged)]).await?;
        let shown = answer.expect(200)?.text();
        let ours = shown.replace('_', "-");
        assert!(!ours.contains("x-stoa"), "{name}: {shown}");
        let answer = with(
            &host,
            "/headers/known",
            &[(name, forged), ("x-api-key", &key)],
        )
        .await?;
        let shown = answer.expect(200)?.text();
        let told: Vec<_> = shown
            .lines()
            .filter_map(|line| line.strip_prefix("x-stoa-principal: "))
            .collect();
        let expected = json!({ "subject": format!("key:{id}"), "scopes": ["a"], "claims": { "key_name": "Zoë's" } });
        assert_eq!(told.len(), 1, "{shown}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(told[0])?,
            expected
        );
        assert!(!shown.contains(&key), "the key is for the gateway: {shown}");
    }
    Ok(())
}

#[tokio::test]
async fn keys_outlive_a_crash_and_revoked_ones_do_not() -> Result<()> {
    let host = serving(&guarded()).await?;
    let (kept, kept_id) = new_key(&host, &["kept", "--scope", "pings:read"]).await?;
    let (gone, gone_id) = new_key(&host, &["gone"]).await?;
    bearer(&host, "/known", &gone).await?.expect(200)?;
    host.cli(&["key", "revoke", &gone_id]).await?.expect(0)?;
    refused(&bearer(&host, "/known", &gone).await?, 401, "invalid_token")?;

    let host = host.crash_and_restart().await?;
    bearer(&host, "/scoped", &kept).await?.expect(200)?;
    refused(&bearer(&host, "/known", &gone).await?, 401, "invalid_token")?;
    let listed = host.cli(&["key", "ls", "-o", "json"]).await?;
    let listed: serde_json::Value = serde_json::from_str(listed.expect(0)?)?;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed[0]["id"], json!(kept_id), "{listed}");
    assert!(listed[0]["last_used"].is_string(), "{listed}");
    let table = host.cli(&["key", "ls"]).await?;
    assert!(table.expect(0)?.contains("pings:read"));
    let again = host.cli(&["key", "revoke", &gone_id]).await?;
    again.expect(1)?;
    assert!(again.stderr.contains(&gone_id), "{}", again.stderr);
    Ok(())
}

#[tokio::test]
async fn an_expired_key_is_refused() -> Result<()> {
    let host = serving(&guarded()).await?;
    let (key, _) = new_key(&host, &["short", "--expires", "1s"]).await?;
    // Each answer is an event; the key's second ends while they come.
    let answer = loop {
        let answer = bearer(&host, "/known", &key).await?;
        if answer.status != 200 {
            break answer;
        }
    };
    refused(&answer, 401, "invalid_token")?;
    assert!(
        answer.problem(401)?["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("expired"))
    );
    Ok(())
}

#[tokio::test]
async fn the_admin_api_makes_keys_for_operators_only() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let made = admin
        .json(
            Method::POST,
            "/v1/keys",
            &json!({ "name": "a", "expires": "30d" }),
        )
        .await?;
    let made = made.expect(201)?.json()?;
    assert!(
        made["expires"].is_string() && made["key"].is_string(),
        "{made}"
    );
    let listed = admin.get("/v1/keys").await?.expect(200)?.text();
    assert!(
        !listed.contains(made["key"].as_str().unwrap_or_default()),
        "{listed}"
    );
    for bad in [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": "a", "scopes": ["a b"] }),
        json!({ "name": "a", "expires": "soon" }),
    ] {
        admin
            .json(Method::POST, "/v1/keys", &bad)
            .await?
            .problem(400)?;
    }
    admin
        .send(Method::DELETE, "/v1/keys/none", empty())
        .await?
        .problem(404)?;
    // An API key is for services: it does not open the admin API.
    let key = stoa_tests::admin::Admin {
        token: made["key"].as_str().unwrap_or_default().to_owned(),
        ..admin
    };
    key.get("/v1/keys").await?.problem(401)?;
    Ok(())
}
