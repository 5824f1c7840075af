//! The icon in the tray: how the agent is, and the three things worth doing without the window.

use std::panic::{AssertUnwindSafe, catch_unwind};

use flame_ipc::{
    DocumentSampleInput, DocumentsList, ErrorView, RunStart, RuntimePhase, RuntimeStatus,
};
use tauri::image::Image;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager, async_runtime};

use crate::{shell, window};

const OPEN: &str = "open";
const RUN: &str = "run-sample";
const QUIT: &str = "quit";
/// The sample that the menu runs.
const SAMPLE: (&str, &str) = ("samples", "orders");

/// The first line of the menu, which says how the agent is.
struct Status(MenuItem<tauri::Wry>);

/// Makes the icon. Without a library for it, the app goes on without.
pub(crate) fn create(app: &AppHandle) {
    // Where the indicator library is not installed, loading it panics.
    match catch_unwind(AssertUnwindSafe(|| build(app))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "there is no tray icon"),
        Err(_) => tracing::warn!("there is no tray icon: its library is not installed"),
    }
}

fn build(app: &AppHandle) -> tauri::Result<()> {
    let status = MenuItem::with_id(app, "status", "Agent: starting", false, None::<&str>)?;
    let menu = Menu::with_items(
        app,
        &[
            &status,
            &PredefinedMenuItem::separator(app)?,
            &MenuItem::with_id(app, OPEN, "Open Mastra", true, None::<&str>)?,
            &MenuItem::with_id(app, RUN, "Run Orders", true, None::<&str>)?,
            &PredefinedMenuItem::separator(app)?,
            &MenuItem::with_id(app, QUIT, "Quit", true, None::<&str>)?,
        ],
    )?;
    TrayIconBuilder::with_id("main")
        .icon(Image::from_bytes(include_bytes!("../icons/tray.png"))?)
        .menu(&menu)
        .on_menu_event(on_menu)
        .build(app)?;
    app.manage(Status(status));
    Ok(())
}

fn on_menu(app: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        OPEN => window::show(app),
        QUIT => {
            window::remember(app);
            app.exit(0);
        }
        RUN => {
            let app = app.clone();
            async_runtime::spawn(async move {
                if let Err(error) = run_sample(&app).await {
                    tracing::warn!(%error, "Orders could not be run");
                    // The window says what is wrong.
                    window::show(&app);
                }
            });
        }
        _ => {}
    }
}

async fn run_sample(app: &AppHandle) -> Result<(), ErrorView> {
    let shell = shell::of(app);
    let documents = shell.run(DocumentsList {}).await?;
    let sample = documents
        .into_iter()
        .find(|document| (document.namespace.as_str(), document.name.as_str()) == SAMPLE);
    let Some(sample) = sample else {
        window::show(app);
        return Ok(());
    };
    let input = shell
        .run(DocumentSampleInput {
            id: sample.id.clone(),
        })
        .await?;
    shell
        .run(RunStart {
            document_id: sample.id,
            input: input.text,
        })
        .await?;
    Ok(())
}

/// Says in the menu how the agent is.
pub(crate) fn show_status(app: &AppHandle, status: &RuntimeStatus) {
    let Some(item) = app.try_state::<Status>() else {
        return;
    };
    let word = match status.phase {
        RuntimePhase::Starting => "starting",
        RuntimePhase::Ready => "ready",
        RuntimePhase::Degraded => "needs attention",
        RuntimePhase::Stopped => "stopped",
        RuntimePhase::Failed => "failed",
        RuntimePhase::Switching => "moving",
    };
    let runs = status.runs_in_flight.get();
    let text = match runs {
        0 => format!("Agent: {word}"),
        1 => format!("Agent: {word}, 1 run in flight"),
        _ => format!("Agent: {word}, {runs} runs in flight"),
    };
    if let Err(error) = item.0.set_text(text) {
        tracing::debug!(%error, "the tray's menu does not change");
    }
}
