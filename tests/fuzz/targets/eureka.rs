//! See [`stoa_fuzz::eureka`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stoa_fuzz::eureka(bytes));
