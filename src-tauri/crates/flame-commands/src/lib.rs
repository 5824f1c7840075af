//! Bodies of the window commands over a narrow Host.
