use std::time::Duration;

use proptest::prelude::*;

use super::*;
use stoa_api::TokenRequest;
use stoa_http::client::now;
use stoa_store::Store;

fn tokens() -> ((tempfile::TempDir, Store), Tokens) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let (settings, records) = (config::Jwt::default(), store.records());
    let opened = Tokens::open(&settings, directory.path(), &records);
    let tokens = runtime().block_on(opened).unwrap();
    ((directory, store), tokens)
}

fn request() -> TokenRequest {
    TokenRequest {
        subject: "alice".into(),
        ..TokenRequest::default()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

#[test]
fn a_mangled_token_is_never_accepted() {
    let (_directory, tokens) = tokens();
    let good = tokens.development.sign(&request(), now()).unwrap().token;
    let runtime = runtime();
    let accepted = |token: &str| {
        let checked = runtime.block_on(tokens.check(token, now(), &LastToken::default()));
        matches!(checked, Ok(Some(_)))
    };
    assert!(accepted(&good) && accepted(&good));
    let length = good.len();
    let any = (0..length, "[A-Za-z0-9_.=-]", 0..length, any::<String>());
    proptest!(|((at, with, cut, text) in any)| {
        let changed = format!("{}{with}{}", &good[..at], &good[at + 1..]);
        let swapped = format!("{}{}", &good[cut..], &good[..cut]);
        for mangled in [changed, swapped, good[..cut].to_owned(), format!("{good}{with}"), text] {
            prop_assert!(mangled == good || !accepted(&mangled), "{}", mangled);
        }
    });
}

#[test]
fn what_is_no_token_of_ours_is_foreign() {
    let (_directory, tokens) = tokens();
    let runtime = runtime();
    for foreign in [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "e30.e30.e30",
        "e30.eyJpc3MiOiJ4In0.e30",
    ] {
        let checked = runtime.block_on(tokens.check(foreign, now(), &LastToken::default()));
        assert_eq!(checked.unwrap(), None, "{foreign:?}");
    }
}

#[test]
fn a_remembered_token_expires_too() {
    let (_directory, tokens) = tokens();
    let short = TokenRequest {
        ttl: Some(Duration::from_secs(60)),
        ..request()
    };
    let token = tokens.development.sign(&short, now()).unwrap().token;
    let runtime = runtime();
    let hash = tokens.cache.hash(&token);
    assert!(tokens.cache.get(&hash).is_none());
    assert!(
        runtime
            .block_on(tokens.check(&token, now(), &LastToken::default()))
            .is_ok()
    );
    let known = tokens.cache.get(&hash).unwrap();
    assert!(tokens.is_good(&known, now()));
    assert!(!tokens.is_good(&known, now() + 61));
}

/// Two at once, in one process or in two: there is one key, and each token is signed
/// with it.
#[test]
fn all_who_sign_first_sign_with_the_same_key() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let open = || Development::open(&config::Jwt::default(), directory.path()).unwrap();
        let hosts = [open(), open(), open(), open()];
        let begin = std::sync::Barrier::new(hosts.len());
        let tokens: Vec<String> = std::thread::scope(|scope| {
            let signing = hosts.each_ref().map(|host| {
                let begin = &begin;
                scope.spawn(move || {
                    begin.wait();
                    host.sign(&request(), now()).unwrap().token
                })
            });
            signing.map(|signed| signed.join().unwrap()).into()
        });
        let later = open();
        for token in &tokens {
            let verified = later.verifier().unwrap().verify(token);
            assert!(
                runtime().block_on(verified).is_ok(),
                "signed with a key that is lost"
            );
        }
        let files = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(files, 1, "drafts are left over");
    }
}

#[test]
fn the_last_token_of_a_connection_is_no_better_than_any() {
    let (_store, tokens) = tokens();
    let (runtime, last) = (runtime(), LastToken::default());
    let sign = |subject: &str| {
        let request = TokenRequest {
            subject: subject.to_owned(),
            ..request()
        };
        tokens.development.sign(&request, now()).unwrap().token
    };
    let (ann, bob) = (sign("ann"), sign("bob"));
    let check = |token: &str, now| runtime.block_on(tokens.check(token, now, &last));
    for (token, subject) in [(&ann, "ann"), (&ann, "ann"), (&bob, "bob"), (&ann, "ann")] {
        let found = check(token, now()).unwrap().unwrap();
        assert_eq!(found.subject, subject);
    }
    assert!(last.get(&bob).is_none() && last.get(&ann[1..]).is_none());
    // One that is over, or that other keys were for, is checked anew.
    for (until, signed_by) in [
        (now() - 1, SignedBy::Development),
        (u64::MAX, SignedBy::Trusted(0)),
    ] {
        let principal = Arc::default();
        let old = Verified {
            principal,
            until,
            signed_by,
            generation: 7,
        };
        last.keep(&ann, &Arc::new(old));
        assert_eq!(check(&ann, now()).unwrap().unwrap().subject, "ann");
    }
}
