//! The transport of the desktop window: Tauri's IPC.
import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { Transport } from "./bindings";

export const transport: Transport = {
  call: (command, input) => invoke(command, { input }),
  listen: (event, handler) => listen(event, (message) => handler(message.payload)),
};
