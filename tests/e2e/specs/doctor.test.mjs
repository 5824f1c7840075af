// A person whose workspace or whose agent's database is damaged gets it back by the doctor.
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { openDesktop, processesIn } from "../harness/desktop.mjs";
import { Window } from "../pages/window.mjs";

const DAMAGE = "not a database, but long enough to look like one";
const TWO_DAYS_MS = 48 * 60 * 60 * 1000;

let desktop;
let app;
let window;

before(async () => {
  desktop = await openDesktop();
  await beFileManager();
  await open();
});

after(async () => {
  await app?.close();
  await desktop?.close();
});

async function open(dataDir) {
  const path = `${join(desktop.home, "bin")}:${process.env.PATH}`;
  app = await openApp({ desktop, dataDir, env: { PATH: path } });
  window = new Window(app.browser);
}

/** Quits, and waits until nobody holds the folder any more. */
async function quit() {
  await app.quit();
  while ((await processesIn(app.dataDir)).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function reopen() {
  await quit();
  await open(app.dataDir);
}

/** In place of the desktop's file manager: writes down what it was asked to show. */
async function beFileManager() {
  const [bin, shown] = [join(desktop.home, "bin"), join(desktop.home, "shown")];
  await mkdir(bin);
  await writeFile(shown, "");
  await writeFile(join(bin, "xdg-open"), `#!/bin/sh\nprintf '%s\\n' "$1" >> '${shown}'\n`);
  await chmod(join(bin, "xdg-open"), 0o755);
}

async function isShown(folder) {
  const shown = () => readFile(join(desktop.home, "shown"), "utf8");
  await app.browser
    .waitUntil(async () => (await shown()).split("\n").includes(folder), { timeout: 20_000 })
    .catch(async () => assert.fail(`the file manager was not asked for ${folder}, but for: ${await shown()}`));
}

/** Damages a database; from its log alone it could be read. */
async function damage(file) {
  for (const log of ["-wal", "-shm"]) await rm(`${file}${log}`, { force: true });
  await writeFile(file, DAMAGE);
}

async function isKept(folder, name) {
  const aside = (await readdir(folder)).find((entry) => entry.startsWith("damaged-"));
  assert.ok(aside, `nothing was set aside in ${folder}`);
  assert.equal(await readFile(join(folder, aside, name), "utf8"), DAMAGE);
}

test("a damaged workspace: every page says what is wrong and leads to the doctor", async () => {
  await window.reads("runtime-pill", /Native/);
  // The second start makes the first backup.
  await reopen();
  await window.reads("runtime-pill", /Native/);
  await quit();
  await damage(join(app.dataDir, "workspace.db"));
  await open(app.dataDir);
  await window.go("workflows");
  await window.reads("error-note", /MD-302/);
  await window.reads("error-note", /Open Doctor/);
});

test("meanwhile its folders are there and open, but for the output, of which nobody knows where it is", async () => {
  await window.go("doctor");
  const card = await window.reads("folders-card", /Data.*Inbox.*Backups.*Log/s);
  assert.doesNotMatch(card, /Output/);
  for (const [folder, path] of [["data", ""], ["backups", "backups"], ["logs", "logs"]]) {
    await window.click(`open-${folder}`);
    await isShown(join(app.dataDir, path));
  }
});

test("one click puts the last backup in place and keeps the damaged file", async () => {
  await window.go("doctor");
  await window.reads("finding", /The workspace can't be opened/);
  await window.reads("finding-repair", /Put the last backup in place/);
  await app.browser.execute(() => (globalThis.__e2eShut = true));
  await window.click("finding-repair");
  await app.browser.waitUntil(() => app.browser.execute(() => !globalThis.__e2eShut), { timeout: 20_000, timeoutMsg: "the page was not loaded anew" });
  await window.watchPolicy();
  await window.reads("runtime-pill", /Native/);
  await window.go("doctor");
  await window.reads("folders-card", /Output/);
  await window.go("workflows");
  await window.reads("workflows-list", /Orders/);
  await isKept(app.dataDir, "workspace.db");
});

test("a damaged database of the agent: Home says so and leads to the doctor", async () => {
  await window.go("home");
  await window.click("run-orders");
  await window.reads("run-status", /Completed/);
  await makeBackupsDue();
  // An orderly end makes one that is due.
  await quit();
  await damage(join(app.dataDir, "agent", "agent.db"));
  await open(app.dataDir);
  await window.reads("runtime-pill", /Agent stopped/);
  await window.go("home");
  await window.reads("agent-down", /MD-302/);
  await window.reads("attention", /The agent does not run/);
  await window.reads("nav-doctor", /to repair/);
  await window.click("agent-repair");
  await window.reads("finding", /The agent does not run.*MD-302/s);
});

test("one click puts the agent's last backup in place, the runs are there and the agent works", async () => {
  await window.reads("finding-repair", /Put the last backup in place/);
  await window.click("finding-repair");
  await window.reads("runtime-pill", /Native/);
  await app.browser.$('[data-check="agent"]').waitForExist({ reverse: true, timeout: 20_000 });
  await isKept(join(app.dataDir, "agent"), "agent.db");
  await completed(1);
  await window.go("workflows");
  await window.click("row-run-orders");
  await completed(2);
});

/** Lets the agent's backups be from the day before yesterday; the first start made one of no runs. */
async function makeBackupsDue() {
  const folder = join(app.dataDir, "agent", "backups");
  const made = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".db"));
  await app.browser.waitUntil(async () => (await made()).length > 0, { timeout: 20_000, timeoutMsg: "the agent made no backup" });
  const before = new Date(Date.now() - TWO_DAYS_MS);
  for (const name of await made()) await utimes(join(folder, name), before, before);
}

/** Waits until the list has that many runs, all of them completed. */
async function completed(count) {
  await window.go("runs");
  let rows = [];
  await app.browser
    .waitUntil(
      async () => {
        rows = await app.browser.execute(() => [...document.querySelectorAll('[data-testid="run-row"]')].map((row) => row.dataset.status));
        return rows.length === count && rows.every((status) => status === "completed");
      },
      { timeout: 20_000 },
    )
    .catch(() => assert.fail(`not ${count} completed runs: ${JSON.stringify(rows)}`));
}
