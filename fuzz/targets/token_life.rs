//! See `src/token_life.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    taurus_fuzz::token_life::check(input);
});
