use super::*;

#[test]
fn places_of_keys() {
    assert_eq!(jwks("keys.json"), Ok(Some(Jwks::File("keys.json".into()))));
    for url in ["https://a.example/keys", "http://127.0.0.1:1/"] {
        assert_eq!(jwks(url), Ok(Some(Jwks::Url(url.into()))));
    }
    for bad in ["", "ftp://a/", "https://", "https:// a/"] {
        assert!(jwks(bad).is_err(), "{bad:?}");
    }
    assert_eq!(
        algorithms("RS256, EdDSA"),
        Ok(vec![Algorithm::Rs256, Algorithm::EdDsa])
    );
    for bad in ["none", "HS512", "RS256,", ""] {
        assert!(algorithms(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn half_an_issuer_is_a_fault() {
    let whole = Issuer {
        name: Some("https://a.example".into()),
        audience: vec!["shop".into()],
        jwks: Some(Jwks::File("keys.json".into())),
        ..Issuer::default()
    };
    let jwt = |issuer: &Issuer| Jwt {
        issuer: issuer.clone(),
        ..Jwt::default()
    };
    let faults = |jwt: &Jwt| jwt.check().iter().count();
    assert_eq!((faults(&Jwt::default()), faults(&jwt(&whole))), (0, 0));
    let halves = [
        Issuer {
            name: None,
            ..whole.clone()
        },
        Issuer {
            audience: vec![],
            ..whole.clone()
        },
        Issuer {
            jwks: None,
            ..whole.clone()
        },
        Issuer {
            name: Some(DEVELOPMENT_ISSUER.into()),
            ..whole.clone()
        },
        Issuer {
            algorithms: vec![Algorithm::Hs256],
            ..whole.clone()
        },
        Issuer {
            jwks: None,
            secret_file: Some("secret".into()),
            algorithms: vec![Algorithm::Es256],
            ..whole.clone()
        },
        Issuer {
            max_stale: Some(Duration::from_secs(599)),
            ..whole.clone()
        },
    ];
    for half in halves {
        assert_eq!(faults(&jwt(&half)), 1, "{half:?}");
        let listed = Jwt {
            issuers: vec![half],
            ..Jwt::default()
        };
        assert_eq!(faults(&listed), 1, "{listed:?}");
    }
    let seldom = Issuer {
        refresh: 2 * MAX_STALE,
        ..whole.clone()
    };
    assert_eq!(faults(&jwt(&seldom)), 0);
    assert_eq!(seldom.max_stale(), 2 * MAX_STALE);
    let twice = Jwt {
        issuers: vec![whole.clone(), Issuer::default()],
        ..jwt(&whole)
    };
    assert_eq!(faults(&twice), 2);
}
