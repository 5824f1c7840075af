// A person whose workspace is damaged gets it back by the doctor.
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { processesIn } from "../harness/desktop.mjs";
import { Window } from "../pages/window.mjs";

const DAMAGE = "not a database, but long enough to look like one";

let app;
let window;

async function open(before) {
  app = await openApp(before && { desktop: before.desktop, dataDir: before.dataDir });
  window = new Window(app.browser);
}

/** Quits, and waits until nobody holds the folder any more. */
async function quit() {
  await app.quit();
  while ((await processesIn(app.dataDir)).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

before(async () => {
  await open();
  await window.reads("runtime-pill", /Native/);
  // The second start makes the first backup.
  await quit();
  await open(app);
  await window.reads("runtime-pill", /Native/);
  await quit();
  // From its log alone the workspace could be read.
  for (const log of ["workspace.db-wal", "workspace.db-shm"]) await rm(join(app.dataDir, log), { force: true });
  await writeFile(join(app.dataDir, "workspace.db"), DAMAGE);
  await open(app);
});

after(() => app?.close());

test("every page says what is wrong and leads to the doctor", async () => {
  await window.go("workflows");
  await window.reads("error-note", /MD-302/);
  await window.reads("error-note", /Open Doctor/);
});

test("one click puts the last backup in place and keeps the damaged file", async () => {
  await window.go("doctor");
  await window.reads("finding", /The workspace can't be opened/);
  await window.reads("finding-repair", /Put the last backup in place/);
  await window.click("finding-repair");
  await window.reads("runtime-pill", /Native/);
  await window.go("workflows");
  await window.reads("workflows-list", /Orders/);
  const folder = (await readdir(app.dataDir)).find((name) => name.startsWith("damaged-"));
  assert.equal(await readFile(join(app.dataDir, folder, "workspace.db"), "utf8"), DAMAGE);
});
