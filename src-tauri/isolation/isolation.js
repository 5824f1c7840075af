// Stands between the window and the shell: a message that is none of ours never leaves the window.
// The shell checks every command again; this is the second lock on the same door.

const PLUGINS = ["plugin:event|listen", "plugin:event|unlisten"];

window.__TAURI_ISOLATION_HOOK__ = (payload) => {
  const command = payload?.cmd;
  const allowed =
    typeof command === "string" && (!command.startsWith("plugin:") || PLUGINS.includes(command));
  if (!allowed) throw new Error(`the window may not send ${String(command)}`);
  return payload;
};
