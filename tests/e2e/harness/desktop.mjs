// A private desktop: an X server on a free display, a session bus, own home folders.
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Child } from "./process.mjs";
import { X11 } from "./x11.mjs";

const SCREEN = "1440x900x24";

/** Ends a process by its id; one that has ended already is no error. */
export function end(pid, signal = "SIGKILL") {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error; // It has ended by itself.
  }
}

/** Processes whose command line or environment names the folder. */
export async function processesIn(folder) {
  const found = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    if (Number(entry) === process.pid) continue;
    for (const file of ["cmdline", "environ"]) {
      const text = await readFile(`/proc/${entry}/${file}`, "utf8").catch(() => "");
      if (!text.includes(folder)) continue;
      found.push(Number(entry));
      break;
    }
  }
  return found;
}

/** Files below a folder that hold the text as it is. */
export async function filesWith(folder, text) {
  const found = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    if (bytes.includes(text)) found.push(path);
  }
  return found;
}

/** Starts the desktop; `close` ends what was started and removes the folders. */
export async function openDesktop({ keyring = true, windowManager = false, screen = SCREEN } = {}) {
  const home = await mkdtemp(join(tmpdir(), "mastra-e2e-"));
  const folder = async (name) => {
    const path = join(home, name);
    await mkdir(path, { recursive: true, mode: 0o700 });
    return path;
  };
  const children = [];
  const start = (...args) => {
    const child = new Child(...args);
    children.unshift(child);
    return child;
  };

  const xvfb = start("Xvfb", ["-displayfd", "1", "-screen", "0", screen, "-nolisten", "tcp"]);
  const [, display] = await xvfb.says(/^(\d+)\s/m);
  const env = {
    ...process.env,
    HOME: home,
    XDG_DATA_HOME: await folder("data"),
    XDG_CONFIG_HOME: await folder("config"),
    XDG_CACHE_HOME: await folder("cache"),
    XDG_RUNTIME_DIR: await folder("run"),
    DISPLAY: `:${display}`,
    GDK_BACKEND: "x11",
    NO_AT_BRIDGE: "1",
    // There is no graphics card: the program that stands in for one paints slower than WebKit itself.
    WEBKIT_SKIA_ENABLE_CPU_RENDERING: "1",
    LANG: "C.UTF-8",
    TZ: "UTC",
  };
  delete env.WAYLAND_DISPLAY;

  if (windowManager) {
    // The machine's configuration would bring a panel.
    const configuration = join(home, "jwm.xml");
    await writeFile(configuration, "<JWM></JWM>");
    start("jwm", ["-f", configuration], { env });
    await X11.managed(env.DISPLAY);
  }

  const bus = start("dbus-daemon", ["--session", "--nofork", "--print-address=1"], { env });
  const [, address] = await bus.says(/^(unix:\S+)/m);
  env.DBUS_SESSION_BUS_ADDRESS = address;

  if (keyring) {
    const daemon = start(
      "gnome-keyring-daemon",
      ["--foreground", "--unlock", "--components=secrets"],
      { env, stdio: ["pipe", "pipe", "pipe"] },
    );
    daemon.process.stdin.end("e2e");
  }

  return {
    env,
    home,
    start,
    async close() {
      for (const child of children) await child.stop();
      // The driver ends the app without a word, so what the app had started in this home stays.
      for (const pid of await processesIn(home)) end(pid);
      await rm(home, { recursive: true, force: true });
    },
  };
}
