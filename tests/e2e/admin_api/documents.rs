//! The OpenAPI documents of the admin API itself and of a service.

use anyhow::{Context as _, Result};
use serde_json::json;
use stoa_tests::service::Service;

use crate::{guests, hello, host, serving};

#[tokio::test]
async fn it_describes_itself() -> Result<()> {
    let host = host().await?;
    let description = host
        .admin()?
        .get("/v1/openapi.json")
        .await?
        .expect(200)?
        .json()?;
    assert!(
        description["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1")),
        "{}",
        description["openapi"]
    );
    let paths = description["paths"].as_object().context("no paths")?;
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                let told = response["description"].as_str();
                let told = told.is_some_and(|told| !told.is_empty());
                assert!(
                    told,
                    "{method} {path}: {status} has no description, OpenAPI 4.8.17"
                );
            }
        }
    }
    assert!(paths["/v1/components/{sha256}"]["head"].is_object());
    let problem = &description["components"]["schemas"]["Problem"]["properties"];
    assert!(problem["trace_id"].is_object(), "{problem}");
    for path in [
        "/v1/services",
        "/v1/services/{service}",
        "/v1/deployments",
        "/v1/routes",
        "/v1/drain",
        "/v1/services/{service}/drain",
    ] {
        assert!(
            description["paths"][path].is_object(),
            "no {path} in {:?}",
            description["paths"]
                .as_object()
                .map(|paths| paths.keys().collect::<Vec<_>>())
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_contract_is_derived_from_routes_and_types() -> Result<()> {
    let values = Service::new("values", guests::ECHO_TYPES)
        .call("POST /records", "test:echo/values.echo-record")
        .call("GET /several/{first}", "test:echo/values.several");
    let host = serving(&[values, hello()]).await?;
    let contract = host
        .admin()?
        .get("/v1/services/values/openapi")
        .await?
        .expect(200)?
        .json()?;
    assert!(
        contract["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1")),
        "{contract}"
    );
    let several = &contract["paths"]["/several/{first}"]["get"];
    let parameters: Vec<_> = several["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            (
                one["name"].clone(),
                one["in"].clone(),
                one["required"].clone(),
            )
        })
        .collect();
    assert!(
        parameters.contains(&(json!("first"), json!("path"), json!(true))),
        "{several}"
    );
    assert!(
        parameters.contains(&(json!("second"), json!("query"), json!(true))),
        "{several}"
    );
    let text = contract.to_string();
    for name in ["display_name", "light_blue", "execute_all"] {
        assert!(text.contains(name), "no {name} in {text}");
    }
    Ok(())
}
