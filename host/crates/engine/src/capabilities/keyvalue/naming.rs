//! Which bucket a guest means, and whether it may use it.

use super::error::Error;
use stoa_store::BucketId;

/// The bucket that `service` names when it opens nothing in particular.
const DEFAULT: &str = "default";

/// The bucket behind `identifier`, opened by `service` which has `grants`.
pub(super) fn resolve(
    service: &str,
    grants: &[String],
    identifier: &str,
) -> Result<BucketId, Error> {
    let (owner, name) = match identifier.split_once('/') {
        Some(address) => address,
        None if identifier.is_empty() => (service, DEFAULT),
        None => (service, identifier),
    };
    let id = BucketId::new(owner, name)?;
    if owner == service || grants.iter().any(|grant| covers(grant, &id)) {
        return Ok(id);
    }
    tracing::warn!(
        service.name = service,
        bucket = %id,
        "refused a bucket of another service: to allow it, add \"{id}\" to keyvalue in [service.{service}.grants]",
    );
    Err(Error::AccessDenied)
}

fn covers(grant: &str, id: &BucketId) -> bool {
    match grant.split_once('/') {
        Some((owner, name)) => owner == id.service() && name == id.name(),
        None => grant == id.service(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(identifier: &str, grants: &[&str]) -> Result<String, Error> {
        let grants: Vec<_> = grants.iter().map(|grant| (*grant).to_owned()).collect();
        resolve("order", &grants, identifier).map(|id| id.to_string())
    }

    #[test]
    fn a_service_has_its_own_buckets() {
        for (identifier, bucket) in [
            ("", "order/default"),
            ("default", "order/default"),
            ("orders", "order/orders"),
            ("order/orders", "order/orders"),
            ("product", "order/product"),
        ] {
            assert_eq!(resolved(identifier, &[]).unwrap(), bucket);
        }
    }

    #[test]
    fn anothers_bucket_needs_its_grant() {
        for (grants, allowed) in [
            (&["product"][..], true),
            (&["product/stock"], true),
            (&["catalog", "product/stock"], true),
            (&[], false),
            (
                &[
                    "product/stock2",
                    "product/",
                    "produc",
                    "product2",
                    "stock",
                    "order/stock",
                    "",
                ],
                false,
            ),
        ] {
            let result = resolved("product/stock", grants);
            match result {
                Ok(bucket) => assert!(allowed && bucket == "product/stock", "{grants:?}"),
                Err(Error::AccessDenied) => assert!(!allowed, "{grants:?}"),
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_name_is_refused_even_with_a_grant() {
        let long = "x".repeat(256);
        for identifier in [
            "/",
            "/x",
            "product/",
            "product/a/b",
            "a\0b",
            "product/a\nb",
            &long,
        ] {
            let result = resolved(identifier, &["product", "product/a/b", ""]);
            assert!(matches!(result, Err(Error::Other(_))), "{identifier:?}");
        }
    }
}
