//! Configuration that an operator changes under a running service.

use anyhow::{Context as _, Result};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::admin::Admin;
use stoa_tests::client::{Answer, Client, full};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, serving};

const CONFIG: &str = "/v1/services/state/config";

/// Reads its configuration by `GET /config/{key}`.
fn reader() -> Service {
    Service::new("state", guests::STATE)
        .call("GET /config/{key}", "test:state/counter.config")
        .set("config.colour", json!("blue"))
        .set("config.size", json!("9"))
}

fn with_schema() -> Service {
    let schema = json!({
        "properties": {
            "colour": { "enum": ["blue", "red", "green"] },
            "size": { "type": "integer", "minimum": 1 }
        },
        "required": ["size"],
        "additionalProperties": false
    });
    reader().set("config_schema", schema)
}

/// What the service reads: none is 204.
async fn read(host: &HostProcess, key: &str) -> Result<Value> {
    let answer = host.get(&format!("/config/{key}")).await?;
    if answer.status == 204 {
        Ok(Value::Null)
    } else {
        answer.expect(200)?.json()
    }
}

async fn patch(admin: &Admin, changes: &Value) -> Result<Answer> {
    admin.json(Method::PATCH, CONFIG, changes).await
}

/// A change to one version of the configuration.
async fn patch_version(admin: &Admin, version: &str, changes: &Value) -> Result<Answer> {
    let request = Request::patch(CONFIG)
        .header("authorization", format!("Bearer {}", admin.token))
        .header("content-type", "application/json")
        .header("if-match", version)
        .body(full(changes.to_string()))?;
    Client::http1(admin.address).send(request).await
}

#[tokio::test]
async fn a_change_reaches_the_next_call_and_outlives_deployments_and_crashes() -> Result<()> {
    let host = serving(&[reader()]).await?;
    let admin = host.admin()?;
    assert_eq!(read(&host, "colour").await?, json!("blue"));
    let set = patch(&admin, &json!({ "colour": "red", "extra": "1" }))
        .await?
        .expect(200)?;
    assert_eq!(set.header("etag")?, "\"1\"");
    assert_eq!(
        set.json()?["values"]["colour"],
        json!({ "value": "red", "source": "operator", "manifest": "blue" })
    );
    assert_eq!(read(&host, "colour").await?, json!("red"));
    assert_eq!(read(&host, "extra").await?, json!("1"));
    assert_eq!(read(&host, "size").await?, json!("9"));

    // The operator's values go before those of a new revision, too.
    admin
        .deploy_one(&reader().set("config.colour", json!("black")).canary(50))
        .await?;
    for _ in 0..20 {
        assert_eq!(read(&host, "colour").await?, json!("red"));
    }
    patch(&admin, &json!({ "colour": "green" }))
        .await?
        .expect(200)?;
    for _ in 0..20 {
        assert_eq!(read(&host, "colour").await?, json!("green"));
    }
    admin
        .deploy_one(&reader().set("config.colour", json!("black")))
        .await?;

    let host = host.crash_and_restart().await?;
    let admin = host.admin()?;
    assert_eq!(read(&host, "colour").await?, json!("green"));
    let unset = admin
        .send(
            Method::DELETE,
            &format!("{CONFIG}/colour"),
            stoa_tests::client::empty(),
        )
        .await?
        .expect(200)?;
    assert_eq!(unset.json()?["version"], 3);
    assert_eq!(read(&host, "colour").await?, json!("black"));
    let shown = admin.get("/v1/services/state").await?.expect(200)?.json()?;
    assert_eq!(
        shown["config"]["values"]["colour"],
        json!({ "value": "black", "source": "manifest" })
    );
    Ok(())
}

#[tokio::test]
async fn versions_are_kept_and_gone_back_to() -> Result<()> {
    let host = serving(&[reader()]).await?;
    let admin = host.admin()?;
    for colour in ["red", "green"] {
        patch(&admin, &json!({ "colour": colour }))
            .await?
            .expect(200)?;
    }
    // A change that changes nothing is no version.
    let same = patch(&admin, &json!({ "colour": "green" })).await?;
    assert_eq!(same.expect(200)?.json()?["version"], 2);
    let rollback = "/v1/services/state/config-rollback";
    let back = admin.json(Method::POST, rollback, &json!({})).await?;
    assert_eq!(back.expect(200)?.json()?["version"], 3);
    assert_eq!(read(&host, "colour").await?, json!("red"));
    admin
        .json(Method::POST, rollback, &json!({ "to": 0 }))
        .await?
        .expect(200)?;
    assert_eq!(read(&host, "colour").await?, json!("blue"));
    let refused = admin
        .json(Method::POST, rollback, &json!({ "to": 77 }))
        .await?;
    assert_eq!(refused.problem(404)?["code"], "no_version");

    let host = host.crash_and_restart().await?;
    let history = host
        .admin()?
        .get("/v1/services/state/config-history")
        .await?
        .expect(200)?
        .json()?;
    let versions: Vec<_> = history.as_array().context("a list")?.iter().collect();
    assert_eq!(versions.len(), 4, "{history}");
    assert_eq!(versions[0]["rollback_to"], 0);
    assert_eq!(versions[0]["changes"], json!({ "colour": null }));
    assert_eq!(versions[3]["changes"], json!({ "colour": "red" }));
    Ok(())
}

#[tokio::test]
async fn a_stale_change_is_refused() -> Result<()> {
    let host = serving(&[reader()]).await?;
    let admin = host.admin()?;
    patch_version(&admin, "\"0\"", &json!({ "colour": "red" }))
        .await?
        .expect(200)?;
    let stale = patch_version(&admin, "\"0\"", &json!({ "colour": "green" })).await?;
    assert_eq!(stale.problem(412)?["code"], "stale");
    assert_eq!(read(&host, "colour").await?, json!("red"));
    patch_version(&admin, "*", &json!({ "colour": "green" }))
        .await?
        .expect(200)?;
    for other in ["\"new\"", "W/\"2\"", "2", ""] {
        patch_version(&admin, other, &json!({ "colour": "red" }))
            .await?
            .problem(412)?;
    }
    patch_version(&admin, "\"7\", \"2\"", &json!({ "colour": "red" }))
        .await?
        .expect(200)?;
    for path in ["/v1/services/nobody/config", &format!("{CONFIG}/nothing")] {
        admin.get(path).await?.problem(404)?;
    }
    Ok(())
}

#[tokio::test]
async fn values_fit_the_services_schema() -> Result<()> {
    let host = serving(&[with_schema()]).await?;
    let admin = host.admin()?;
    for (changes, said) in [
        (json!({ "size": "0" }), "minimum"),
        (json!({ "size": "many" }), "integer"),
        (json!({ "colour": "black" }), "/colour"),
        (json!({ "colr": "red" }), "colr"),
        (json!({ "size": "5", "colour": "black" }), "/colour"),
    ] {
        let refused = patch(&admin, &changes).await?.problem(422)?;
        assert!(
            refused["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(said)),
            "{refused}"
        );
    }
    assert_eq!(read(&host, "size").await?, json!("9"), "all or none");
    patch(&admin, &json!({ "size": "12", "colour": "green" }))
        .await?
        .expect(200)?;

    // A manifest that does not fit its own schema, and a schema that what is set breaks.
    let faults = admin
        .refused(&with_schema().set("config.size", json!("none")))
        .await?;
    assert_eq!(faults[0].code, "config", "{faults:?}");
    let narrower = json!({ "properties": { "colour": { "enum": ["blue", "red"] } } });
    let faults = admin
        .refused(&reader().set("config_schema", narrower))
        .await?;
    assert_eq!(faults[0].code, "config_override");
    assert!(
        faults[0].message.contains("revision 2") && faults[0].message.contains("/colour"),
        "{faults:?}"
    );
    let faults = admin
        .refused(&reader().set("config_schema", json!({ "type": "nonsense" })))
        .await?;
    assert_eq!(faults[0].code, "config_schema", "{faults:?}");
    assert_eq!(admin.live("state").await?, [(1, 100)].into());
    Ok(())
}

#[tokio::test]
async fn limits_are_kept() -> Result<()> {
    let host = serving(&[reader()]).await?;
    let admin = host.admin()?;
    let long = "k".repeat(300);
    for (key, value) in [
        ("", "x"),
        ("a\nb", "x"),
        (&*long, "x"),
        ("a", &*"v".repeat(300 << 10)),
    ] {
        patch(&admin, &json!({ key: value })).await?.problem(422)?;
    }
    assert_eq!(admin.get(CONFIG).await?.json()?["version"], 0);
    Ok(())
}

#[tokio::test]
async fn the_command_does_all_of_it() -> Result<()> {
    let host = serving(&[with_schema()]).await?;
    let config = async |arguments: &[&str]| {
        let all = [&["config", "state"], arguments].concat();
        host.cli(&all).await
    };
    let table = config(&[]).await?;
    assert!(table.expect(0)?.contains("blue"), "{table:?}");
    config(&["set", "colour=red", "size=3"]).await?.expect(0)?;
    assert_eq!(config(&["get", "colour"]).await?.expect(0)?, "red\n");
    assert_eq!(read(&host, "size").await?, json!("3"));
    let refused = config(&["set", "size=x"]).await?;
    refused.expect(1)?;
    assert!(refused.stderr.contains("/size"), "{refused:?}");
    config(&["set", "size=4", "--if-version", "0"])
        .await?
        .expect(1)?;
    config(&["unset", "size"]).await?.expect(0)?;
    assert_eq!(read(&host, "size").await?, json!("9"));
    let history = config(&["history"]).await?;
    assert!(history.expect(0)?.contains("size unset"), "{history:?}");
    config(&["rollback", "--to", "1"]).await?.expect(0)?;
    assert_eq!(read(&host, "size").await?, json!("3"));
    let shown = host.cli(&["show", "state"]).await?;
    assert!(
        shown
            .expect(0)?
            .contains("colour = \"red\" (set by the operator)"),
        "{shown:?}"
    );
    config(&["set", "size"]).await?.expect(2)?;
    config(&["get", "nothing"]).await?.expect(1)?;
    Ok(())
}
