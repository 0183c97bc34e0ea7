//! Generated from `shop:storefront`, and so from what the other services offer.

#![allow(missing_docs, unused_qualifications, unsafe_code, clippy::all)]

wit_bindgen::generate!({
    path: [
        "../../wit/stoa-service",
        "../../wit/stoa-money",
        "../../wit/shop-product",
        "../../wit/shop-payment",
        "../../wit/shop-shipping",
        "../../wit/shop-catalog",
        "../../wit/shop-order",
        "../../wit/shop-storefront",
    ],
    world: "shop:storefront/storefront",
    with: {
        "stoa:service/types@0.1.0": stoa_sdk::bindings::stoa::service::types,
        "stoa:money/types@0.1.0": stoa_sdk::bindings::stoa::money::types,
    },
    generate_all,
    additional_derives: [PartialEq],
});
