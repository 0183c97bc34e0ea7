//! Generated from the host's contracts. A service's own `generate!` names these
//! modules in `with`, so that errors and money are one type everywhere.

#![allow(missing_docs, unused_qualifications, unsafe_code, clippy::all)]

wit_bindgen::generate!({
    path: [
        "../wit/deps/keyvalue",
        "../wit/deps/config",
        "../wit/deps/logging",
        "../wit/stoa-service",
        "../wit/stoa-money",
    ],
    inline: "
        package stoa:sdk;

        world guest {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
            import wasi:keyvalue/batch@0.2.0-draft2;
            import wasi:config/store@0.2.0-rc.1;
            import wasi:logging/logging@0.1.0-draft;
            import stoa:service/types@0.1.0;
            import stoa:service/context@0.1.0;
            import stoa:service/secrets@0.1.0;
            import stoa:service/outbox@0.1.0;
            import stoa:service/cache@0.1.0;
            import stoa:money/types@0.1.0;
        }
    ",
    generate_all,
    generate_unused_types: true,
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    additional_derives_ignore: ["cas-error"],
});
