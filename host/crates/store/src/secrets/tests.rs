use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::Store;

fn secrets(folder: &Path, store: &Store) -> Secrets {
    Secrets::new(store.records(), folder.join("secrets.key"))
}

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("data")).unwrap();
    (folder, store)
}

fn text(secrets: &Secrets, name: &str) -> Option<String> {
    let revealed = secrets.reveal(name).unwrap();
    revealed.map(|secret| secret.text().unwrap().to_owned())
}

#[tokio::test]
async fn a_secret_is_kept_sealed_and_comes_back() {
    let (folder, store) = store();
    let secrets = secrets(folder.path(), &store);
    secrets.load().await.unwrap();
    let key = folder.path().join("secrets.key");
    assert!(!key.exists(), "the key is made at first use");
    assert_eq!(
        secrets.set("stripe", b"sk_live_1").await.unwrap().version,
        1
    );
    assert_eq!(
        secrets.set("stripe", b"sk_live_2").await.unwrap().version,
        2
    );
    assert_eq!(text(&secrets, "stripe").as_deref(), Some("sk_live_2"));
    assert_eq!(text(&secrets, "nothing"), None);
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let record = store.records().get(KIND, "stripe").await.unwrap().unwrap();
    assert!(!record.to_string().contains("sk_live"), "{record}");

    let again = self::secrets(folder.path(), &store);
    again.load().await.unwrap();
    assert_eq!(text(&again, "stripe").as_deref(), Some("sk_live_2"));
    again.remove("stripe").await.unwrap();
    assert!(again.list().is_empty() && text(&again, "stripe").is_none());
    assert!(matches!(
        again.remove("stripe").await,
        Err(SecretsError::Missing { .. })
    ));
}

#[tokio::test]
async fn a_key_that_is_open_missing_wrong_or_none_is_refused() {
    let (folder, store) = store();
    let key = folder.path().join("secrets.key");
    let first = secrets(folder.path(), &store);
    first.set("a", b"1").await.unwrap();
    let right = std::fs::read(&key).unwrap();
    let refused = async |said: &str| {
        let refused = secrets(folder.path(), &store).load().await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains(said) && refused.contains("secrets.key"),
            "{refused}"
        );
    };
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    refused("chmod 600").await;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&key, "0".repeat(64)).unwrap();
    refused("another key").await;
    std::fs::write(&key, "not a key").unwrap();
    refused("64 hexadecimal digits").await;
    std::fs::remove_file(&key).unwrap();
    refused("is missing").await;
    std::fs::write(&key, right).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let again = secrets(folder.path(), &store);
    again.load().await.unwrap();
    assert_eq!(text(&again, "a").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_record_in_the_place_of_another_does_not_open() {
    let (folder, store) = store();
    let first = secrets(folder.path(), &store);
    first.set("a", b"1").await.unwrap();
    first.set("b", b"2").await.unwrap();
    let records = store.records();
    let moved = records.get(KIND, "a").await.unwrap().unwrap();
    records.put(KIND, "b", moved).await.unwrap();
    let again = secrets(folder.path(), &store);
    again.load().await.unwrap();
    assert!(matches!(
        again.reveal("b"),
        Err(SecretsError::Damaged(name)) if name == "b"
    ));
    assert_eq!(text(&again, "a").as_deref(), Some("1"));
}

/// A crash after the records are written, before the new file took the old one's place.
#[tokio::test]
async fn a_rotation_is_finished_by_the_next_start() {
    let (folder, store) = store();
    let key = folder.path().join("secrets.key");
    let next = folder.path().join("secrets.key.new");
    let first = secrets(folder.path(), &store);
    first.set("a", b"1").await.unwrap();
    let old = std::fs::read(&key).unwrap();
    assert_eq!(first.rotate_key().await.unwrap(), 1);
    assert_ne!(std::fs::read(&key).unwrap(), old);
    assert_eq!(text(&first, "a").as_deref(), Some("1"));

    std::fs::rename(&key, &next).unwrap();
    std::fs::write(&key, &old).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let again = secrets(folder.path(), &store);
    again.load().await.unwrap();
    assert_eq!(text(&again, "a").as_deref(), Some("1"));
    assert!(!next.exists() && std::fs::read(&key).unwrap() != old);
}

#[tokio::test]
async fn names_and_values_have_bounds() {
    let (folder, store) = store();
    let secrets = secrets(folder.path(), &store);
    for name in ["", "-a", "a b", "a/b", "ü", &"x".repeat(129)] {
        assert!(
            matches!(secrets.set(name, b"x").await, Err(SecretsError::Name(_))),
            "{name:?}"
        );
    }
    for value in [&b""[..], &[0xff], &vec![b'x'; LONGEST + 1]] {
        let refused = secrets.set("a", value).await;
        assert!(matches!(refused, Err(SecretsError::Value(_))));
    }
    secrets.set("STRIPE_key.2-a", b"x").await.unwrap();
}

#[test]
fn what_is_printed_shows_no_value() {
    let key = Key::new(&[7; 32]).unwrap();
    let secret = key.open("a", 1, &key.seal("a", 1, b"hush")).unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(…)");
}

proptest! {
    /// Any bit that is changed is noticed, and each sealing differs.
    #[test]
    fn damage_is_noticed(value in "\\PC{1,40}", bit in any::<prop::sample::Index>()) {
        let key = Key::new(&[7; 32]).unwrap();
        let sealed = key.seal("a", 1, value.as_bytes());
        prop_assert!(key.open("a", 2, &sealed).is_none() && key.open("b", 1, &sealed).is_none());
        let json = serde_json::to_value(&sealed).unwrap();
        prop_assert_ne!(&json, &serde_json::to_value(key.seal("a", 1, value.as_bytes())).unwrap());
        let back: Sealed = serde_json::from_value(json).unwrap();
        let opened = key.open("a", 1, &back).unwrap();
        prop_assert_eq!(opened.text(), Some(value.as_str()));
        let damaged = seal::damaged(&sealed, bit);
        prop_assert!(key.open("a", 1, &damaged).is_none());
    }
}
