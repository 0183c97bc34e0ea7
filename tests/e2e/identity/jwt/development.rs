//! Tokens that the host signs itself.

use super::*;

#[tokio::test]
async fn developers_get_tokens_where_the_operator_lets_them() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let host = crate::serving(&guarded()).await?;
    let arguments = [
        "token",
        "--subject",
        "alice",
        "--scope",
        "pings:read",
        "--scope",
        "b",
        "--claim",
        "team=blue",
    ];
    let made = host.cli(&arguments).await?;
    let token = made.expect(0)?.trim().to_owned();
    let learned = seen(bearer(&host, "/scoped", &token).await?)?;
    assert_eq!(
        (learned.subject.as_str(), learned.scopes.as_str()),
        ("alice", "b pings:read")
    );
    assert_eq!(
        learned.claims,
        ["aud=stoa", "iss=stoa-development", "team=blue"]
    );
    let mode = std::fs::metadata(host.data().join("token-key"))?
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    for wrong in [
        ["--ttl", "31d"],
        ["--claim", "iss=me"],
        ["--claim", "sub=root"],
        ["--claim", "scope=all"],
    ] {
        let refused = host
            .cli(&[&["token", "--subject", "a"], &wrong[..]].concat())
            .await?;
        refused.expect(1)?;
    }
    let short = host
        .cli(&["token", "--subject", "alice", "--ttl", "1s", "-o", "json"])
        .await?;
    let short: Value = serde_json::from_str(short.expect(0)?)?;
    let short = short["token"].as_str().unwrap_or_default().to_owned();
    // Each answer is an event; the token's second ends while they come.
    while bearer(&host, "/known", &short).await?.status == 200 {}
    refused(&bearer(&host, "/open", &short).await?, 401, "invalid_token")?;

    let host = host.crash_and_restart().await?;
    bearer(&host, "/known", &token).await?.expect(200)?;
    let answer = with(
        &host,
        "/known",
        &[("authorization", &format!("bearer {token}x"))],
    )
    .await?;
    refused(&answer, 401, "invalid_token")?;

    let closed = host_with("[jwt]\ndevelopment = \"off\"\n").await?;
    closed.admin()?.deploy_all(&guarded()).await?;
    let made = closed.cli(&["token", "--subject", "alice"]).await?;
    made.expect(1)?;
    assert!(made.stderr.contains("turned off"), "{}", made.stderr);
    refused(
        &bearer(&closed, "/open", &token).await?,
        401,
        "invalid_token",
    )
}
