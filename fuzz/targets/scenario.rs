//! See `src/scenario.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    taurus_fuzz::scenario::check(input);
});
