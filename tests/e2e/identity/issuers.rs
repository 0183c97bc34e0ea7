//! Whose word counts: names that are taken.

use anyhow::Result;
use serde_json::json;
use stoa_tests::issuer::{Issuer, SigningKey};

use super::jwt::{claims_with, trusting_url};
use super::{bearer, refused, seen};

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
