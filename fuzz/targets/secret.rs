//! See `src/secret.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    taurus_fuzz::secret::check(input);
});
