//! Wire types of the agent HTTP API and its OpenAPI document.
