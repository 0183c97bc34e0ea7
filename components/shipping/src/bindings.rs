//! Generated from `shop:shipping`. Its records are what the domain works with and
//! what is kept.

#![allow(missing_docs, unused_qualifications, unsafe_code, clippy::all)]

wit_bindgen::generate!({
    path: ["../../wit/stoa-service", "../../wit/stoa-money", "../../wit/shop-shipping"],
    world: "shop:shipping/shipping-service",
    with: {
        "stoa:service/types@0.1.0": stoa_sdk::bindings::stoa::service::types,
        "stoa:money/types@0.1.0": stoa_sdk::bindings::stoa::money::types,
    },
    generate_all,
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
});
