//! Connector: files in the workspace output folder.
