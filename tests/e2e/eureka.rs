//! Eureka's interface, in the shapes of Netflix's server.

use std::collections::BTreeSet;

use anyhow::Result;
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::admin::Admin;
use stoa_tests::client::{Answer, Client, full};
use stoa_tests::origin::{Behaviour, Origin};

use crate::discovery::Watch;
use crate::{hello, host};

const INSTANCES: &str = "/eureka/v2/apps/SHOP";

fn instance(id: &str) -> Value {
    json!({ "instance": {
        "instanceId": id, "app": "SHOP", "hostName": "shop.example", "ipAddr": "10.1.2.3",
        "status": "UP", "overriddenStatus": "UNKNOWN",
        "port": { "$": 8080, "@enabled": "true" },
        "securePort": { "$": 8443, "@enabled": "false" },
        "countryId": 1,
        "dataCenterInfo": {
            "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"
        },
        "leaseInfo": { "renewalIntervalInSecs": 30, "durationInSecs": 90 },
        "metadata": { "@class": "java.util.Collections$EmptyMap", "zone": "a" },
        "homePageUrl": "http://shop.example:8080/",
        "vipAddress": "shop,cart", "secureVipAddress": "shop",
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": "1700000000000", "lastDirtyTimestamp": "1700000000000"
    } })
}

/// The same as a client that writes XML has it.
const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<instance>
  <instanceId>x</instanceId><hostName>shop.example</hostName><app>shop</app><ipAddr>10.1.2.4</ipAddr>
  <status>UP</status><port enabled="true">8081</port><securePort enabled="false">443</securePort>
  <dataCenterInfo class="com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"><name>MyOwn</name></dataCenterInfo>
  <metadata><zone>b &amp; c</zone></metadata><vipAddress>shop</vipAddress>
  <lastDirtyTimestamp>1700000000000</lastDirtyTimestamp>
</instance>"#;

/// A client with the token as its password.
struct Eureka {
    admin: Admin,
}

impl Eureka {
    async fn send(
        &self,
        method: Method,
        path: &str,
        language: &str,
        body: String,
    ) -> Result<Answer> {
        use base64::Engine as _;
        let pair = format!("eureka:{}", self.admin.token);
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Basic {basic}"))
            .header("accept", language)
            .header("content-type", language)
            .body(full(body))?;
        Client::http1(self.admin.address).send(request).await
    }

    async fn json(&self, method: Method, path: &str, body: &Value) -> Result<Answer> {
        self.send(method, path, "application/json", body.to_string())
            .await
    }

    async fn get(&self, path: &str) -> Result<Answer> {
        self.json(Method::GET, path, &Value::Null).await
    }

    async fn register(&self, id: &str) -> Result<()> {
        self.json(Method::POST, INSTANCES, &instance(id))
            .await?
            .expect(204)?;
        Ok(())
    }
}

#[tokio::test]
async fn an_instance_registers_is_found_and_leaves() -> Result<()> {
    let host = host().await?;
    let eureka = Eureka {
        admin: host.admin()?,
    };
    let mut watch = Watch::begin(&eureka.admin, "watch").await?;
    eureka.register("a").await?;
    let found = eureka
        .get("/eureka/v2/apps/shop/a")
        .await?
        .expect(200)?
        .json()?;
    let found = &found["instance"];
    for (key, value) in [
        ("instanceId", json!("a")),
        ("app", json!("SHOP")),
        ("status", json!("UP")),
        ("overriddenStatus", json!("UNKNOWN")),
        ("port", json!({ "$": 8080, "@enabled": "true" })),
        ("securePort", json!({ "$": 8443, "@enabled": "false" })),
        ("metadata", json!({ "zone": "a" })),
        ("lastDirtyTimestamp", json!("1700000000000")),
        ("actionType", json!("ADDED")),
        ("isCoordinatingDiscoveryServer", json!("false")),
        ("homePageUrl", json!("http://shop.example:8080/")),
    ] {
        assert_eq!(found[key], value, "{key} of {found}");
    }
    assert_eq!(found["leaseInfo"]["durationInSecs"], 90);
    let apps = eureka.get("/eureka/apps/").await?.expect(200)?.json()?;
    let apps = &apps["applications"];
    assert_eq!(
        (&apps["apps__hashcode"], &apps["versions__delta"]),
        (&json!("UP_1_"), &json!("1"))
    );
    assert_eq!(apps["application"][0]["name"], "SHOP");
    assert_eq!(apps["application"][0]["instance"][0]["instanceId"], "a");
    for path in [
        "/eureka/v2/apps/SHOP",
        "/eureka/v2/instances/a",
        "/eureka/v2/vips/cart",
        "/eureka/v2/svips/shop",
    ] {
        let found = eureka.get(path).await?.expect(200)?.text();
        assert!(found.contains("\"instanceId\":\"a\""), "{path}: {found}");
    }
    // It is a member of the registry.
    assert_eq!(watch.states("a", "UP").await?, ["UP"]);
    let members = host.admin()?.get("/v1/discovery").await?.json()?["members"].clone();
    assert_eq!(
        members[0],
        json!({
            "service": "shop", "kind": "upstream", "id": "a", "state": "UP",
            "address": "10.1.2.3:8080", "metadata": { "zone": "a" }
        })
    );

    let renew = "/eureka/v2/apps/SHOP/a?status=UP&lastDirtyTimestamp=1700000000000";
    let nothing = Value::Null;
    eureka
        .json(Method::PUT, renew, &nothing)
        .await?
        .expect(200)?;
    let newer = "/eureka/v2/apps/SHOP/a?status=UP&lastDirtyTimestamp=1700000000001";
    eureka
        .json(Method::PUT, newer, &nothing)
        .await?
        .expect(404)?;
    let gone = "/eureka/v2/apps/SHOP/a";
    eureka
        .json(Method::DELETE, gone, &nothing)
        .await?
        .expect(200)?;
    for (method, path) in [
        (Method::DELETE, gone),
        (Method::PUT, renew),
        (Method::GET, gone),
        (Method::GET, "/eureka/v2/apps/SHOP"),
        (Method::GET, "/eureka/v2/instances/a"),
        (Method::PUT, "/eureka/v2/apps/SHOP/a/status?value=DOWN"),
        (Method::PUT, "/eureka/v2/apps/SHOP/a/metadata?k=v"),
    ] {
        eureka.json(method, path, &nothing).await?.expect(404)?;
    }
    assert_eq!(watch.states("a", "gone").await?, ["gone"]);
    let delta = eureka
        .get("/eureka/v2/apps/delta")
        .await?
        .expect(200)?
        .json()?;
    let delta = &delta["applications"];
    assert_eq!(
        delta["application"][0]["instance"][0]["actionType"],
        "DELETED"
    );
    assert_eq!(delta["apps__hashcode"], "");
    Ok(())
}

#[tokio::test]
async fn a_status_and_metadata_are_changed_from_outside() -> Result<()> {
    let host = host().await?;
    let eureka = Eureka {
        admin: host.admin()?,
    };
    let mut watch = Watch::begin(&eureka.admin, "watch").await?;
    eureka.register("a").await?;
    assert_eq!(watch.states("a", "UP").await?, ["UP"]);
    let nothing = Value::Null;
    let status = format!("{INSTANCES}/a/status");
    let out = format!("{status}?value=OUT_OF_SERVICE&lastDirtyTimestamp=1");
    eureka
        .json(Method::PUT, &out, &nothing)
        .await?
        .expect(200)?;
    // Registering again does not undo it.
    eureka.register("a").await?;
    let shown = async || -> Result<(Value, Value)> {
        let shown = eureka
            .get(&format!("{INSTANCES}/a"))
            .await?
            .expect(200)?
            .json()?;
        let shown = &shown["instance"];
        Ok((shown["status"].clone(), shown["overriddenStatus"].clone()))
    };
    assert_eq!(
        shown().await?,
        (json!("OUT_OF_SERVICE"), json!("OUT_OF_SERVICE"))
    );
    assert_eq!(
        watch.states("a", "OUT_OF_SERVICE").await?,
        ["OUT_OF_SERVICE"]
    );
    let hash = eureka.get("/eureka/v2/apps").await?.json()?;
    assert_eq!(hash["applications"]["apps__hashcode"], "OUT_OF_SERVICE_1_");
    eureka
        .json(Method::DELETE, &status, &nothing)
        .await?
        .expect(200)?;
    assert_eq!(shown().await?, (json!("UP"), json!("UNKNOWN")));
    let bad = format!("{status}?value=SLEEPY");
    eureka
        .json(Method::PUT, &bad, &nothing)
        .await?
        .expect(400)?;
    let metadata = format!("{INSTANCES}/a/metadata?colour=red");
    eureka
        .json(Method::PUT, &metadata, &nothing)
        .await?
        .expect(200)?;
    let shown = eureka.get(&format!("{INSTANCES}/a")).await?.json()?;
    assert_eq!(
        shown["instance"]["metadata"],
        json!({ "zone": "a", "colour": "red" })
    );
    Ok(())
}

#[tokio::test]
async fn xml_is_the_other_language() -> Result<()> {
    let host = host().await?;
    let eureka = Eureka {
        admin: host.admin()?,
    };
    let xml = async |method: Method, path: &str, body: &str| {
        eureka
            .send(method, path, "application/xml", body.to_owned())
            .await
    };
    xml(Method::POST, INSTANCES, XML).await?.expect(204)?;
    let apps = xml(Method::GET, "/eureka/v2/apps", "").await?.expect(200)?;
    assert_eq!(apps.header("content-type")?, "application/xml");
    let apps = apps.text();
    for piece in [
        "<applications><application>",
        "<apps__hashcode>UP_1_</apps__hashcode>",
        "<port enabled=\"true\">8081</port>",
        "<zone>b &amp; c</zone>",
        "<overriddenstatus>UNKNOWN</overriddenstatus>",
        "<dataCenterInfo class=\"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo\">",
    ] {
        assert!(apps.contains(piece), "no {piece} in {apps}");
    }
    // What one language brought, the other tells.
    let shown = eureka.get(&format!("{INSTANCES}/x")).await?.json()?;
    assert_eq!(shown["instance"]["port"]["$"], 8081);

    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\">]><instance>&a;</instance>";
    let deep = "<a>".repeat(2_000);
    let long = "x".repeat(100 << 10);
    for (body, status) in [
        (laughs, 400),
        (&deep, 400),
        ("", 400),
        ("<instance/>", 400),
        (&long, 413),
    ] {
        xml(Method::POST, INSTANCES, body).await?.expect(status)?;
    }
    Ok(())
}

#[tokio::test]
async fn who_has_no_token_is_refused() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let stranger = Eureka {
        admin: Admin {
            token: "wrong".to_owned(),
            ..admin.clone()
        },
    };
    let refused = stranger.get("/eureka/v2/apps").await?.expect(401)?;
    assert!(refused.header("www-authenticate")?.starts_with("Basic"));
    let open = stoa_tests::client::get(admin.address, "/eureka/v2/apps").await?;
    open.expect(401)?;
    // The bearer token of the other paths does as well.
    admin.get("/eureka/v2/apps").await?.expect(200)?;
    let mismatch = Eureka {
        admin: admin.clone(),
    };
    let other = mismatch
        .json(Method::POST, "/eureka/v2/apps/OTHER", &instance("a"))
        .await?;
    other.expect(400)?;
    Ok(())
}

/// What registers gets the requests of its upstream's routes, as long as it is up.
#[tokio::test]
async fn what_registers_serves_the_routes_of_its_upstream() -> Result<()> {
    let (one, two) = (
        Origin::start("one", Behaviour::Echo).await?,
        Origin::start("two", Behaviour::Echo).await?,
    );
    let host = host().await?;
    let eureka = Eureka {
        admin: host.admin()?,
    };
    let routes = json!({ "routes": [{ "path": "/shop/*", "target": "http", "access": "public" }] });
    let declared = eureka
        .admin
        .json(Method::PUT, "/v1/upstreams/shop", &routes)
        .await?;
    declared.expect(200)?;
    for (id, origin) in [("a", &one), ("b", &two)] {
        let mut instance = instance(id);
        instance["instance"]["ipAddr"] = json!(origin.address.ip().to_string());
        instance["instance"]["port"]["$"] = json!(origin.address.port());
        let registered = eureka.json(Method::POST, INSTANCES, &instance).await?;
        registered.expect(204)?;
    }
    let mut served = BTreeSet::new();
    for _ in 0..40 {
        let answer = host.get("/shop/cart").await?.expect(200)?;
        served.insert(answer.header("x-origin")?.to_owned());
    }
    assert_eq!(served.len(), 2, "{served:?}");
    let nothing = Value::Null;
    let out = format!("{INSTANCES}/a/status?value=OUT_OF_SERVICE");
    eureka
        .json(Method::PUT, &out, &nothing)
        .await?
        .expect(200)?;
    for _ in 0..20 {
        let answer = host.get("/shop/cart").await?.expect(200)?;
        assert_eq!(answer.header("x-origin")?, "two");
    }
    eureka
        .json(Method::DELETE, &format!("{INSTANCES}/b"), &nothing)
        .await?
        .expect(200)?;
    host.get("/shop/cart").await?.problem(503)?;
    Ok(())
}

/// A component's service keeps its name.
#[tokio::test]
async fn a_service_is_not_taken_over() -> Result<()> {
    let host = host().await?;
    let eureka = Eureka {
        admin: host.admin()?,
    };
    eureka.admin.deploy_one(&hello().named("shop")).await?;
    eureka.register("a").await?;
    assert_eq!(host.get("/ping").await?.expect(200)?.json()?, json!("pong"));
    eureka.admin.get("/v1/upstreams/shop").await?.problem(404)?;
    Ok(())
}
