//! Each binary is the target of its name.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| auditrelay_fuzz::run(env!("CARGO_BIN_NAME"), data));
