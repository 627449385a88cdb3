#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::checks::config::check(data));
