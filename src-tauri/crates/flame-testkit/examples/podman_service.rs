//! A private Podman for a test that is not written in Rust: prints its socket, or `none` and why, and
//! ends with its standard input, and all that is in it.

use std::io::{Read as _, Write as _};

use flame_testkit::Podman;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => return writeln!(out, "none {reason}"),
    };
    writeln!(out, "socket {}", podman.socket().display())?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
