//! See [`stoa_fuzz::route`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stoa_fuzz::route(bytes));
