//! Uses each capability that a service gets by itself: buckets, configuration,
//! log, standard streams, and what the host says of the call.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/state", generate_all });

use exports::test::state::{counter, mirror};
use stoa::service::context;
use wasi::keyvalue::atomics::{self, Cas, CasError};
use wasi::keyvalue::batch;
use wasi::keyvalue::store::{self, Bucket};
use wasi::logging::logging::{self, Level};

struct State;
export!(State);

/// The bucket of every test.
const BUCKET: &str = "test";

impl counter::Guest for State {
    fn increment(key: String) -> Result<i64, String> {
        atomics::increment(&open()?, &key, 1).map_err(shown)
    }

    fn swap(key: String) -> Result<u64, String> {
        let bucket = open()?;
        let mut handle = Cas::new(&bucket, &key).map_err(shown)?;
        loop {
            let next = handle
                .current()
                .map_err(shown)?
                .map_or(0, |bytes| number(&bytes))
                + 1;
            match atomics::swap(handle, next.to_string().as_bytes()) {
                Ok(()) => return Ok(next),
                Err(CasError::CasFailed(newer)) => handle = newer,
                Err(CasError::StoreError(fault)) => return Err(shown(fault)),
            }
        }
    }

    fn get(key: String) -> Result<Option<String>, String> {
        Ok(open()?.get(&key).map_err(shown)?.map(text))
    }

    fn set(key: String, value: String) -> Result<(), String> {
        open()?.set(&key, value.as_bytes()).map_err(shown)
    }

    fn delete(key: String) -> Result<(), String> {
        open()?.delete(&key).map_err(shown)
    }

    fn exists(key: String) -> Result<bool, String> {
        open()?.exists(&key).map_err(shown)
    }

    fn keys() -> Result<Vec<String>, String> {
        let bucket = open()?;
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = bucket.list_keys(cursor.as_deref()).map_err(shown)?;
            keys.extend(page.keys);
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(keys),
            }
        }
    }

    fn batch(entries: Vec<(String, String)>) -> Result<Vec<Option<String>>, String> {
        let bucket = open()?;
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(key, value)| (key, value.into_bytes()))
            .collect();
        batch::set_many(&bucket, &entries).map_err(shown)?;
        let found = batch::get_many(&bucket, &keys).map_err(shown)?;
        Ok(found
            .into_iter()
            .map(|entry| entry.map(|(_, value)| text(value)))
            .collect())
    }

    fn read_from(bucket: String, key: String) -> Result<Option<String>, String> {
        let bucket = store::open(&bucket).map_err(shown)?;
        Ok(bucket.get(&key).map_err(shown)?.map(text))
    }

    fn config(key: String) -> Result<Option<String>, String> {
        wasi::config::store::get(&key).map_err(|fault| format!("{fault:?}"))
    }

    fn config_all() -> Result<Vec<(String, String)>, String> {
        wasi::config::store::get_all().map_err(|fault| format!("{fault:?}"))
    }

    fn say(text: String) {
        println!("stdout says {text}");
        eprintln!("stderr says {text}");
        logging::log(Level::Warn, "guest-context", &format!("log says {text}"));
    }
}

impl mirror::Guest for State {
    fn this_call() -> mirror::Call {
        let caller = context::caller();
        mirror::Call {
            subject: caller.as_ref().map(|caller| caller.subject.clone()),
            scopes: caller.map(|caller| caller.scopes).unwrap_or_default(),
            request_id: context::request_id(),
            traceparent: context::traceparent(),
            region: context::region(),
            remaining_ms: context::remaining_ms(),
            idempotency_key: context::idempotency_key(),
            if_match: context::if_match(),
        }
    }
}

fn open() -> Result<Bucket, String> {
    store::open(BUCKET).map_err(shown)
}

fn shown(fault: store::Error) -> String {
    format!("{fault:?}")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number(bytes: &[u8]) -> u64 {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("the key holds a decimal number")
}
