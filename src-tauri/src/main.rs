//! The desktop shell: window, tray, sidecar, typed commands; no domain logic.
fn main() {}
