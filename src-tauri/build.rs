//! Generates what Tauri needs at compile time.
//!
//! The commands of the contract are declared, so that none is open to the window unless a capability
//! grants it.

fn main() {
    let manifest = tauri_build::AppManifest::new().commands(flame_ipc::COMMAND_NAMES);
    let attributes = tauri_build::Attributes::new().app_manifest(manifest);
    if let Err(error) = tauri_build::try_build(attributes) {
        // A build script speaks to cargo by its exit code and this prefix.
        println!("cargo::error={error:#}");
    }
}
