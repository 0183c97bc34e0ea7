use std::net::{Ipv4Addr, SocketAddr};

use http::header;

use super::*;
use stoa_api::KeyRequest;
use stoa_store::Store;

async fn identity() -> ((tempfile::TempDir, Store), Identity) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let config = Config {
        data: directory.path().into(),
        ..Config::default()
    };
    let (records, metrics) = (store.records(), Metrics::default());
    let opened = Identity::open(&config, "operators-token", records, &metrics);
    let identity = opened.await.unwrap();
    ((directory, store), identity)
}

async fn ask(identity: &Identity, access: &Access, headers: &HeaderMap) -> Result<Caller, Denied> {
    let client = Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    identity
        .identify(access, headers, &client, &LastToken::default())
        .await
}

fn bearer(token: &str) -> HeaderMap {
    let value = format!("Bearer {token}").parse().unwrap();
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}

fn scope(name: &str) -> Access {
    Access::Scope(name.to_owned())
}

#[tokio::test]
async fn nothing_is_open_by_silence() {
    let (_directory, identity) = identity().await;
    let none = HeaderMap::new();
    for closed in [Access::default(), scope("a")] {
        assert_eq!(
            ask(&identity, &closed, &none).await.unwrap_err(),
            Denied::Missing
        );
        let foreign = ask(&identity, &closed, &bearer("foreign")).await;
        assert!(matches!(foreign, Err(Denied::Invalid(_))));
    }
    for headers in [none, bearer("foreign")] {
        let caller = ask(&identity, &Access::Public, &headers).await.unwrap();
        assert_eq!(caller.principal, None);
    }
}

#[tokio::test]
async fn a_foreign_credential_goes_on_and_ours_does_not() {
    let (_directory, identity) = identity().await;
    for (token, stays) in [("foreign", true), ("operators-token", false)] {
        let mut headers = bearer(token);
        let caller = ask(&identity, &Access::Public, &headers).await.unwrap();
        caller.keep_credential(&mut headers);
        assert_eq!(
            headers.contains_key(header::AUTHORIZATION),
            stays,
            "{token}"
        );
    }
}

#[tokio::test]
async fn the_operator_has_every_scope() {
    let (_directory, identity) = identity().await;
    let caller = ask(&identity, &scope("a"), &bearer("operators-token"))
        .await
        .unwrap();
    let principal = caller.principal.unwrap();
    assert_eq!(
        (principal.subject.as_str(), principal.scopes.as_slice()),
        ("operator", &["a".to_owned()][..])
    );
}

#[tokio::test]
async fn a_key_has_its_scopes_and_a_bad_one_is_refused_even_where_none_is_asked_for() {
    let (_directory, identity) = identity().await;
    let request = KeyRequest {
        name: "ci".into(),
        scopes: vec!["a".into()],
        expires: None,
    };
    let made = identity.keys.create(request).await.unwrap();
    let headers = bearer(&made.key);
    assert!(ask(&identity, &scope("a"), &headers).await.is_ok());
    assert_eq!(
        ask(&identity, &scope("b"), &headers).await.unwrap_err(),
        Denied::Scope("b".into())
    );
    let known = ask(&identity, &Access::Public, &headers).await.unwrap();
    assert_eq!(
        known.principal.unwrap().subject,
        format!("key:{}", made.summary.id)
    );

    identity.keys.revoke(&made.summary.id).await.unwrap();
    for access in [Access::Public, Access::Authenticated, scope("a")] {
        assert!(matches!(
            ask(&identity, &access, &headers).await,
            Err(Denied::Invalid(_))
        ));
    }
}

#[tokio::test]
async fn a_development_token_is_who_it_says() {
    let (_directory, identity) = identity().await;
    let request = TokenRequest {
        subject: "alice".into(),
        scopes: vec!["a".into()],
        ..TokenRequest::default()
    };
    let made = identity.development_token(&request).unwrap();
    let headers = bearer(&made.token);
    let caller = ask(&identity, &scope("a"), &headers).await.unwrap();
    assert_eq!(caller.principal.unwrap().subject, "alice");
    let denied = ask(&identity, &scope("b"), &headers).await.unwrap_err();
    assert_eq!(denied, Denied::Scope("b".into()));
}
