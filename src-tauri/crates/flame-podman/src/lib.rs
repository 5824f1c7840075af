//! The only code that talks to Podman.
