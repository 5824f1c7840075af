// A person moves the agent into a container and back, with its runs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { openPodman } from "../harness/podman.mjs";
import { Window } from "../pages/window.mjs";

// A move stops the agent in order, carries its data and starts it again.
const MOVE_MS = 60_000;

let podman;
let app;
let window;

before(async () => {
  podman = await openPodman();
  if (podman.reason) return;
  app = await openApp({ env: { MASTRA_PODMAN: podman.socket } });
  window = new Window(app.browser);
});

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
  await window.reads("run-status", /Completed/);
}

async function runs() {
  await window.go("runs");
  await window.see("run-row");
  return (await window.parts("run-row")).length;
}

async function move(to, mode) {
  await app.browser.execute((hash) => (globalThis.location.hash = hash), "#/settings/runtime");
  await window.click(`runtime-${to}`);
  await window.reads("switch-card", new RegExp(`Switched to ${mode}`), MOVE_MS);
  await window.reads("runtime-pill", new RegExp(mode), MOVE_MS);
}

test("the agent moves into a container with its runs, and works there", async (t) => {
  if (missing(t)) return;
  await runOrders();
  await move("podman", "Podman");
  await window.reads("container-card", /running/);
  await window.reads("container-card", /a port on loopback only/);
  await window.reads("agent-log", /\S/);
  assert.equal(await runs(), 1);
  await runOrders();
  assert.equal(await runs(), 2);
});

test("it moves back with what it did there", async (t) => {
  if (missing(t)) return;
  await move("native", "Native");
  assert.equal(await runs(), 2);
  await runOrders();
  assert.equal(await runs(), 3);
});
