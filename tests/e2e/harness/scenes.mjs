// The window's pages over the fake transport, in the engine that the real window has: no app, no agent.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { openDesktop } from "./desktop.mjs";
import { answers, freePort } from "./ports.mjs";
import { Child } from "./process.mjs";
import { browse } from "./webdriver.mjs";

const UI = fileURLToPath(new URL("../../../ui", import.meta.url));
const VITE = join(UI, "node_modules/vite/bin/vite.js");
/** Axe computes for long where others compute as well. */
const SCRIPT_MAX_MS = 120_000;
const RESIZE_MAX_MS = 20_000;
const run = promisify(execFile);

/** Builds the bundle of mode `fake` and serves it under the policy that the shell enforces. */
export async function serveScenes() {
  await run(process.execPath, [VITE, "build", "--mode", "fake"], { cwd: UI });
  const server = new Child(process.execPath, [VITE, "preview", "--mode", "fake", "--port", "0"], {
    cwd: UI,
    env: { ...process.env, NO_COLOR: "1" },
  });
  const [address] = await server.says(/http:\/\/127\.0\.0\.1:\d+\//);
  return { address, close: () => server.stop() };
}

/**
 * Opens a browser on a private desktop, with a scene at a place where no page is: each that a test goes to comes up
 * under its eyes.
 */
export async function openScene(address, scene) {
  const desktop = await openDesktop({ keyring: false });
  try {
    await standStill(desktop.env.XDG_CONFIG_HOME);
    const port = await freePort();
    desktop.start("/usr/bin/WebKitWebDriver", [`--port=${port}`], {
      // There is no graphics card to compose layers: the program that stands in for one takes most of the time.
      env: { ...desktop.env, WEBKIT_DISABLE_COMPOSITING_MODE: "1" },
    });
    await answers(port);
    const browser = await browse(port, {
      "webkitgtk:browserOptions": { binary: await miniBrowser(), args: ["--automation"] },
    });
    await browser.setTimeout({ script: SCRIPT_MAX_MS });
    await browser.setWindowSize(1440, 900);
    await browser.url(`${address}?scene=${scene}#/nowhere-yet`);
    return {
      browser,
      async close() {
        await browser.deleteSession().catch(() => {});
        await desktop.close();
      },
    };
  } catch (error) {
    await desktop.close();
    throw error;
  }
}

/** Gives the page another size, and waits until it has it. */
export async function resize(browser, [width, height]) {
  const bars = await browser.execute(() => [outerWidth - innerWidth, outerHeight - innerHeight]);
  await browser.setWindowSize(width + bars[0], height + bars[1]);
  const has = await browser.executeAsync(
    (width, height, timeoutMs, done) => {
      const look = () => innerWidth === width && innerHeight === height && done(true);
      if (look()) return;
      addEventListener("resize", look);
      setTimeout(() => done(false), timeoutMs);
    },
    width,
    height,
    RESIZE_MAX_MS,
  );
  assert.ok(has, `the page is not ${width} by ${height}`);
}

/** Asks pages for reduced motion: what they show is there at once, in its last colours. */
async function standStill(configuration) {
  const folder = join(configuration, "gtk-3.0");
  await mkdir(folder);
  await writeFile(join(folder, "settings.ini"), "[Settings]\ngtk-enable-animations=0\n");
}

/** The browser that comes with the engine's library. */
async function miniBrowser() {
  const { stdout } = await run("pkg-config", ["--variable=libdir", "webkit2gtk-4.1"]);
  return join(stdout.trim(), "webkit2gtk-4.1/MiniBrowser");
}
