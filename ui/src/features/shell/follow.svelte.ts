//! Keeps the window's shared data as fresh as the shell's event stream.
import { untrack } from "svelte";
import { listen } from "$ipc";
import { connections } from "$features/connections/connections.svelte";
import { doctor } from "$features/doctor/doctor.svelte";
import { documents } from "$features/workflows/documents.svelte";
import { hasSettled, runtime } from "$features/runtime/runtime.svelte";
import { tasks } from "$features/tasks/tasks.svelte";
import { applySettings, settings } from "$features/settings/settings.svelte";
import { app } from "./app.svelte";

/** How often lists that need a whole read follow the stream. */
const LIST_MS = 1000;

/** Reads everything once and listens until the calling component is gone. */
export function followShell(): void {
  $effect(() => untrack(follow));
}

/** Reads what could not be read so far, of all that pages share. */
export function readMissing(): void {
  for (const shared of [app, runtime, documents, connections, tasks, settings]) if (shared.data === undefined) void shared.reload();
}

function follow(): () => void {
  void app.reload();
  // Of an agent that is on its way nothing can be said yet.
  void runtime.reload().then(() => {
    if (!runtime.data || hasSettled(runtime.data)) void doctor.reload();
  });
  void documents.reload();
  void connections.reload();
  void tasks.reload();
  void settings.reload().then(() => settings.data && applySettings(settings.data));
  const ends = [
    listen("runtimeStatus", (status) => {
      const back = runtime.data && runtime.data.phase !== "ready" && status.phase === "ready";
      const moved = runtime.data && runtime.data.mode !== status.mode;
      const settled = runtime.data?.phase !== status.phase && hasSettled(status);
      runtime.put(status);
      if (settled) doctor.reloadSoon();
      // Where the output is shown changes with the runtime.
      if (moved) void app.reload();
      if (back) {
        void documents.reload();
        void tasks.reload();
      }
    }),
    listen("documentsChanged", () => documents.reloadSoon()),
    listen("runsChanged", () => {
      documents.reloadSoon(LIST_MS);
      tasks.reloadSoon(LIST_MS);
    }),
    listen("connectionsChanged", () => connections.reloadSoon()),
    listen("settingsChanged", (changed) => {
      settings.put(changed);
      applySettings(changed);
    }),
  ];
  return () => ends.forEach((end) => end());
}
