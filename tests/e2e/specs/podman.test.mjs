// A person moves the agent into a container and back, with its runs, and gets them back where they are damaged there.
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { openPodman } from "../harness/podman.mjs";
import { Window } from "../pages/window.mjs";

// A move stops the agent in order, carries its data and starts it again.
const MOVE_MS = 60_000;
/** A container is made anew and started with what it had. */
const RESTART_MS = 150_000;
const DAMAGE = "not a database, but long enough to look like one";

let podman;
let app;
let window;

before(async () => {
  podman = await openPodman();
  if (podman.reason) return;
  await open();
});

async function open(before = {}) {
  const { desktop, dataDir } = before;
  app = await openApp({ desktop, dataDir, env: { MASTRA_PODMAN: podman.socket } });
  window = new Window(app.browser);
}

after(async () => {
  await app?.close();
  await podman?.close?.();
});

/** Says why the test can't be had; where everything must run, that is a failure. */
function missing(t) {
  if (!podman.reason) return false;
  assert.ok(!process.env.MASTRA_MUST_RUN, podman.reason);
  t.skip(podman.reason);
  return true;
}

async function runOrders() {
  await window.go("workflows");
  await window.click("row-run-orders");
}

/** Waits until the list has that many runs, all of them completed. */
async function completed(count) {
  await window.go("runs");
  const all = async () => Promise.all(await (await window.parts("run-row")).map((row) => window.text(row)));
  let rows = [];
  await app.browser
    .waitUntil(async () => (rows = await all()).length === count && rows.every((row) => /Completed/.test(row)), { timeout: 20_000 })
    .catch(() => assert.fail(`not ${count} completed runs: ${JSON.stringify(rows)}`));
}

async function move(to, mode) {
  await app.browser.execute((hash) => (globalThis.location.hash = hash), "#/settings/runtime");
  // Until Podman was looked for it can't be chosen.
  await window.reads(`runtime-${to}`, /Ready/);
  await window.click(`runtime-${to}`);
  await window.reads("switch-card", new RegExp(`Switched to ${mode}`), MOVE_MS);
  await window.reads("runtime-pill", new RegExp(mode), MOVE_MS);
}

test("the agent moves into a container with its runs, and works there", async (t) => {
  if (missing(t)) return;
  await runOrders();
  await completed(1);
  await move("podman", "Podman");
  await window.reads("container-card", /running/);
  await window.reads("container-card", /a port on loopback only/);
  await window.reads("container-card", /MB of 537 MB/);
  await window.reads("agent-log", /\S/);
  await completed(1);
  await runOrders();
  await completed(2);
});

test("it moves back with what it did there", async (t) => {
  if (missing(t)) return;
  await move("native", "Native");
  await completed(2);
  await runOrders();
  await completed(3);
});

test("a database that is damaged in the container is told, and one click puts the last backup in place", async (t) => {
  if (missing(t)) return;
  await move("podman", "Podman");
  await completed(3);
  await app.quit();
  const data = await podman.volume();
  for (const log of ["agent.db-wal", "agent.db-shm"]) await rm(join(data, log), { force: true });
  await writeFile(join(data, "agent.db"), DAMAGE);

  await open(app);
  await window.reads("runtime-pill", /Agent stopped/, MOVE_MS);
  await window.go("home");
  await window.reads("agent-down", /MD-302/);
  await window.click("agent-repair");
  await window.reads("finding", /The agent does not run.*MD-302/s);
  await window.reads("finding-repair", /Put the last backup in place/);
  await window.click("finding-repair");
  await window.reads("runtime-pill", /Podman/, RESTART_MS);
  await app.browser.$('[data-check="agent"]').waitForExist({ reverse: true, timeout: 20_000 });
  const aside = (await readdir(data)).find((name) => name.startsWith("damaged-"));
  assert.equal(await readFile(join(data, aside, "agent.db"), "utf8"), DAMAGE, "the damaged file stays beside");
  await completed(3);
  await runOrders();
  await completed(4);
});
