// The built app in its real window, driven through WebDriver.
import assert from "node:assert/strict";
import { mkdtemp, readlink, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { end, openDesktop, processesIn } from "./desktop.mjs";
import { refusals, watchPolicy } from "./policy.mjs";
import { answers, freePort } from "./ports.mjs";
import { browse } from "./webdriver.mjs";

const APP = required("MASTRA_APP");
const DRIVER = required("TAURI_DRIVER");

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run \`cargo xtask test --only window\``);
  return value;
}

/**
 * Opens the app on a private desktop. `close` ends the window, the driver and the desktop. What the content security
 * policy refused meanwhile fails it, unless the test asks for it with `refusals: "expected"`. With `usualFolders` it is
 * where a person's is, without a data folder of its own.
 */
export async function openApp(options = {}) {
  const desktop = options.desktop ?? (await openDesktop(options));
  const usual = options.usualFolders ? join(desktop.env.XDG_DATA_HOME, "mastra") : undefined;
  const dataDir = usual ?? options.dataDir ?? (await mkdtemp(join(desktop.home, "workspace-")));
  const [port, nativePort] = [await freePort(), await freePort()];
  const env = { ...desktop.env, MASTRA_DATA_DIR: usual ? undefined : dataDir, ...options.env };
  const driver = desktop.start(
    DRIVER,
    ["--port", `${port}`, "--native-port", `${nativePort}`, "--native-driver", "/usr/bin/WebKitWebDriver"],
    { env },
  );
  await answers(nativePort);
  await answers(port);
  const browser = await browse(port, { "tauri:options": { application: APP } });
  await watchPolicy(browser);
  let closed = false;
  // In the usual folders its data folder is not named to it.
  const programs = () => programsIn(usual ? desktop.home : dataDir);
  const name = basename(await realpath(APP));
  const apps = async () => (await programs()).filter((program) => program.name === name).map(({ pid }) => pid);
  const refused = async () => (closed || options.refusals === "expected" ? [] : refusals(browser));
  return {
    browser,
    dataDir,
    desktop,
    /** Those of our programs that run for this app. */
    programs,
    /** Ends the app in order but keeps the desktop and the data, as a person who quits it. */
    async quit() {
      const found = await refused();
      closed = true;
      // The driver would end it without a word.
      for (const pid of await apps()) end(pid, "SIGTERM");
      while ((await apps()).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await browser.deleteSession().catch(() => {});
      await driver.stop();
      assert.deepEqual(found, [], "the content security policy refused something");
    },
    async close() {
      // A test may have ended the app itself; then its window has nothing more to say.
      const found = (await isOpen(browser)) ? await refused().catch((error) => [`${error}`]) : [];
      await browser.deleteSession().catch(() => {});
      await desktop.close();
      assert.deepEqual(found, [], "the content security policy refused something");
    },
  };
}

/** Those of our programs on a folder; one that has ended is none any more. */
async function programsIn(folder) {
  const ours = dirname(await realpath(APP));
  const found = [];
  for (const pid of await processesIn(folder)) {
    const program = await readlink(`/proc/${pid}/exe`).catch(() => "");
    if (dirname(program) === ours) found.push({ pid, name: basename(program) });
  }
  return found;
}

async function isOpen(browser) {
  return browser.getTitle().then(
    () => true,
    () => false,
  );
}
