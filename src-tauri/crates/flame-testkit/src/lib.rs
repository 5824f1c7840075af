//! Fakes, fixtures and servers that tests share; never shipped.

mod podman;

pub use podman::Podman;
