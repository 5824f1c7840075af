//! Pipelines: sources streamed through a jq map into sinks.
