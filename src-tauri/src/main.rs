//! The desktop shell: window, tray, sidecar, typed commands; no domain logic.
//!
//! Starts up and hands over: `arguments` says where the data is, `shell` opens the app beside the
//! window, `window` and `tray` are what a person sees, `commands` what the window may call.

// A console window beside the app is for debug builds only.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod arguments;
mod commands;
mod host;
mod places;
mod shell;
mod tray;
mod window;

use std::process::ExitCode;

use tauri::{AppHandle, Manager, RunEvent, WindowEvent};
use tracing_subscriber::EnvFilter;

use arguments::Arguments;
use shell::Shell;

fn main() -> ExitCode {
    let arguments =
        match Arguments::read(std::env::args_os().skip(1), |name| std::env::var_os(name)) {
            Ok(arguments) => arguments,
            Err(told) => return told.print(),
        };
    let filter = EnvFilter::try_from_env("MASTRA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    // Without one the event loop would end by a panic.
    #[cfg(target_os = "linux")]
    if let Err(error) = gtk::init() {
        let asked = std::env::var("DISPLAY").unwrap_or_default();
        tracing::error!(%error, display = asked, "Mastra could not start: it reaches no display. Start it in a desktop session");
        return ExitCode::FAILURE;
    }
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "Mastra could not start");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> tauri::Result<()> {
    let mut single = tauri_plugin_single_instance::Builder::new().callback(|app, _, _| {
        window::show(app);
    });
    if let Some(id) = arguments.instance() {
        // Another data folder is another app.
        single = single.dbus_id(id);
    }
    let app = tauri::Builder::default()
        .plugin(single.build())
        .invoke_handler(commands::handler!())
        .setup(move |app| {
            let handle = app.handle();
            let places = places::Places::find(handle, &arguments)?;
            app.manage(Shell::open(handle, &places));
            window::create(handle, &places)?;
            tray::create(handle);
            shell::end_on_signals(handle);
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(on_event);
    Ok(())
}

fn on_event(app: &AppHandle, event: RunEvent) {
    match event {
        RunEvent::WindowEvent {
            event: WindowEvent::CloseRequested { api, .. },
            ..
        } => {
            window::remember(app);
            if app.state::<Shell>().stays_open() {
                api.prevent_close();
                window::hide(app);
            }
        }
        // The agent ends in order before the app does.
        RunEvent::ExitRequested { api, .. } if app.state::<Shell>().close(app) => {
            api.prevent_exit();
        }
        _ => {}
    }
}
