//! See `src/canonical_form.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    taurus_fuzz::canonical_form::check(input);
});
