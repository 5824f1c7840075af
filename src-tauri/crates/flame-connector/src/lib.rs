//! What a connector is: its operations, streams and errors.
