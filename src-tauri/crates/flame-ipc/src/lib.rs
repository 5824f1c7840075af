//! The contract between window and shell: commands, events, error shape.
