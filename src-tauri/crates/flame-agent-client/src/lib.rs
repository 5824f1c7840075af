//! Client of the agent HTTP API.
