//! The one window: where it was, shown, hidden, shown again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tauri::{
    AppHandle, LogicalPosition, LogicalSize, Manager, PhysicalSize, WebviewWindow,
    WebviewWindowBuilder,
};

use crate::places::Places;

/// Capabilities name the window by this.
pub(crate) const LABEL: &str = "main";

/// Where the window was when it was closed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    width: f64,
    height: f64,
    x: f64,
    y: f64,
    maximized: bool,
}

/// The file that remembers it.
struct FrameFile(PathBuf);

/// Makes the window as it was, else as the configuration says.
pub(crate) fn create(app: &AppHandle, places: &Places) -> tauri::Result<()> {
    let file = FrameFile(places.data_dir.join("window.json"));
    let frame = file.read();
    app.manage(file);
    let configured = app
        .config()
        .app
        .windows
        .iter()
        .find(|window| window.label == LABEL);
    let Some(configured) = configured else {
        return Err(tauri::Error::WindowNotFound);
    };
    let window = WebviewWindowBuilder::from_config(app, configured)?.build()?;
    match frame {
        Some(frame) => frame.apply(&window, configured.min_width, configured.min_height),
        None => fit(
            &window,
            LogicalSize::new(configured.width, configured.height),
        ),
    }
}

/// A window larger than its screen would hide its edges. Its own size is not known before it is shown.
fn fit(window: &WebviewWindow, configured: LogicalSize<f64>) -> tauri::Result<()> {
    let Some(monitor) = window.current_monitor()? else {
        return Ok(());
    };
    let screen = monitor.size();
    let size = configured.to_physical::<u32>(monitor.scale_factor());
    if size.width > screen.width || size.height > screen.height {
        window.set_size(PhysicalSize::new(
            size.width.min(screen.width),
            size.height.min(screen.height),
        ))?;
        window.set_position(*monitor.position())?;
    }
    Ok(())
}

/// Writes down where the window is. What can't be written is only forgotten.
pub(crate) fn remember(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else {
        return;
    };
    let kept = Frame::of(&window)
        .map_err(|error| error.to_string())
        .and_then(|frame| app.state::<FrameFile>().write(frame));
    if let Err(error) = kept {
        tracing::debug!(error, "where the window was is not remembered");
    }
}

/// Brings the window back to the front.
pub(crate) fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else {
        return;
    };
    for step in [window.show(), window.unminimize(), window.set_focus()] {
        if let Err(error) = step {
            tracing::debug!(%error, "the window does not come to the front");
        }
    }
}

pub(crate) fn hide(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL)
        && let Err(error) = window.hide()
    {
        tracing::warn!(%error, "the window can't be hidden");
    }
}

impl Frame {
    fn of(window: &WebviewWindow) -> tauri::Result<Self> {
        let scale = window.scale_factor()?;
        let size = window.inner_size()?.to_logical::<f64>(scale);
        let place = window.outer_position()?.to_logical::<f64>(scale);
        let maximized = window.is_maximized()?;
        Ok(Self {
            width: size.width,
            height: size.height,
            x: place.x,
            y: place.y,
            maximized,
        })
    }

    fn apply(
        self,
        window: &WebviewWindow,
        min_width: Option<f64>,
        min_height: Option<f64>,
    ) -> tauri::Result<()> {
        let size = LogicalSize::new(
            self.width.max(min_width.unwrap_or_default()),
            self.height.max(min_height.unwrap_or_default()),
        );
        window.set_size(size)?;
        // A screen may have gone since: a place that nobody could reach is not taken.
        let is_reachable = window.available_monitors()?.iter().any(|monitor| {
            let scale = monitor.scale_factor();
            let corner = monitor.position().to_logical::<f64>(scale);
            let span = monitor.size().to_logical::<f64>(scale);
            (corner.x..corner.x + span.width).contains(&self.x)
                && (corner.y..corner.y + span.height).contains(&self.y)
        });
        if is_reachable {
            window.set_position(LogicalPosition::new(self.x, self.y))?;
        }
        if self.maximized {
            window.maximize()?;
        }
        Ok(())
    }
}

impl FrameFile {
    fn read(&self) -> Option<Frame> {
        serde_json::from_slice(&std::fs::read(&self.0).ok()?).ok()
    }

    fn write(&self, frame: Frame) -> Result<(), String> {
        let text = serde_json::to_vec(&frame).map_err(|error| error.to_string())?;
        std::fs::write(&self.0, text).map_err(|error| error.to_string())
    }
}
