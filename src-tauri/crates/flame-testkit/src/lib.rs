//! Fakes, fixtures and servers that tests share; never shipped.
