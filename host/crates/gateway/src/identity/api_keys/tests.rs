use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use stoa_store::Store;

async fn open(directory: &TempDir) -> (Store, ApiKeys) {
    let store = Store::open(directory.path()).unwrap();
    let keys = ApiKeys::open(store.records()).await.unwrap();
    (store, keys)
}

fn request(expires: Option<u64>) -> KeyRequest {
    KeyRequest {
        name: "ci".into(),
        scopes: vec!["products:write".into()],
        expires: expires.map(Duration::from_secs),
    }
}

#[tokio::test]
async fn a_key_expires_to_the_second() {
    let directory = tempfile::tempdir().unwrap();
    let (_store, keys) = open(&directory).await;
    let before = now();
    let made = keys.create(request(Some(60))).await.unwrap();
    assert!(keys.check(&made.key, before + 59).is_ok());
    let late = keys.check(&made.key, now() + 60);
    assert_eq!(
        late.unwrap_err(),
        Denied::Invalid("the API key has expired")
    );
}

#[tokio::test]
async fn keys_and_their_use_outlive_the_host_and_revoked_ones_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let (store, keys) = open(&directory).await;
    let (kept, gone) = (
        keys.create(request(None)).await.unwrap(),
        keys.create(request(None)).await.unwrap(),
    );
    keys.check(&kept.key, now()).unwrap();
    keys.check(&gone.key, now()).unwrap();
    keys.revoke(&gone.summary.id).await.unwrap();
    keys.write_use().await.unwrap();
    let listed = keys.list();
    drop(keys);
    store.close();

    let (_store, keys) = open(&directory).await;
    assert_eq!(keys.list(), listed);
    assert_eq!(listed.len(), 1);
    assert!(listed[0].last_used.is_some());
    assert!(keys.check(&kept.key, now()).is_ok());
    assert!(keys.check(&gone.key, now()).is_err());
    let again = keys.revoke(&gone.summary.id).await;
    assert!(matches!(again, Err(KeyError::NoKey { .. })));
}

#[tokio::test]
async fn the_secret_is_nowhere_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (store, keys) = open(&directory).await;
    let made = keys.create(request(None)).await.unwrap();
    let stored = store.records().list(KIND).await.unwrap();
    let secret = made.key.rsplit('_').next().unwrap();
    assert!(!format!("{stored:?}").contains(secret));
    assert!(!format!("{:?}", keys.list()).contains(secret));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (_store, keys) = open(&directory).await;
    let bad = [
        KeyRequest {
            name: " ".into(),
            ..request(None)
        },
        KeyRequest {
            name: "a\nb".into(),
            ..request(None)
        },
        KeyRequest {
            scopes: vec!["a b".into()],
            ..request(None)
        },
        KeyRequest {
            scopes: vec![String::new()],
            ..request(None)
        },
        request(Some(0)),
        request(Some(u64::MAX)),
    ];
    for request in bad {
        let refused = keys.create(request.clone()).await;
        assert!(matches!(refused, Err(KeyError::Input(_))), "{request:?}");
    }
    assert!(keys.list().is_empty());
}

#[test]
fn a_mangled_key_is_never_accepted() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (_store, keys) = runtime.block_on(open(&directory));
    let made = runtime.block_on(keys.create(request(None))).unwrap().key;
    assert_eq!(made.len(), 66);
    let any = (
        0_usize..66,
        any::<char>(),
        0_usize..66,
        "stoa_[0-9a-f_]{0,80}",
    );
    proptest!(|((at, with, cut, text) in any)| {
        let mut changed: Vec<char> = made.chars().collect();
        changed[at] = with;
        let changed: String = changed.into_iter().collect();
        for mangled in [changed, made[..cut].to_owned(), format!("{made}{with}"), text] {
            prop_assert!(mangled == made || keys.check(&mangled, now()).is_err(), "{}", mangled);
        }
    });
}

#[tokio::test]
async fn keys_that_expired_long_ago_go_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let (store, keys) = open(&directory).await;
    let expired = keys.create(request(Some(60))).await.unwrap();
    let stays = keys.create(request(None)).await.unwrap();
    keys.remove_expired(now() + 60 + SHOWN - 10).await.unwrap();
    assert_eq!(keys.list().len(), 2, "it is still shown");
    keys.remove_expired(now() + 61 + SHOWN).await.unwrap();
    drop(keys);
    store.close();
    let (_store, keys) = open(&directory).await;
    let left: Vec<_> = keys.list().into_iter().map(|key| key.id).collect();
    assert_eq!(left, [stays.summary.id]);
    assert!(keys.check(&expired.key, now()).is_err());
}
