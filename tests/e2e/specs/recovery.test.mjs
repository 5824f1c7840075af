// The agent is killed while the app runs; the app is closed and opened again.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { processesIn } from "../harness/desktop.mjs";
import { Window } from "../pages/window.mjs";

let app;
let window;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
});

after(() => app?.close());

/** The agent of this app: the process that serves the app's data folder. */
async function agentPid() {
  for (const pid of await processesIn(app.dataDir)) {
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (line.includes("flame-agent") && line.includes(app.dataDir)) return pid;
  }
  return undefined;
}

/** For the message of a failure. */
async function commandLines() {
  const lines = [];
  for (const pid of await processesIn(app.desktop.home)) {
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    lines.push(`${pid} of ${/PPid:\s*(\d+)/.exec(status)?.[1]}: ${line.replaceAll("\0", " ")}`);
  }
  return lines.join("; ");
}

test("a killed agent is started again and works", async () => {
  const first = await agentPid();
  assert.ok(first, "an agent serves this app's folder");
  process.kill(first, "SIGKILL");
  await app.browser.waitUntil(
    async () => {
      const now = await agentPid();
      return now !== undefined && now !== first;
    },
    { timeout: 20_000, timeoutMsg: "no new agent was started" },
  );
  await window.go("home");
  await window.click("run-orders");
  await window.reads("run-status", /Completed/);
});

test("a second app on the same folder shows the first and ends", async () => {
  const agent = await agentPid();
  const env = { ...app.desktop.env, MASTRA_DATA_DIR: app.dataDir };
  const second = app.desktop.start(process.env.MASTRA_APP, [], { env });
  await second.ended;
  assert.equal(second.process.exitCode, 0, second.output);
  assert.equal(await agentPid(), agent, "the first agent goes on, alone");
  await window.go("runs");
  await window.reads("run-row", /Orders/);
});

test("the agent ends with the app, and the run is there when it opens again", async () => {
  const before = await agentPid();
  assert.ok(before);
  await app.quit();
  await app.browser
    .waitUntil(async () => (await agentPid()) === undefined, { timeout: 20_000 })
    .catch(async () => assert.fail(`the agent outlived the app: ${await commandLines()}`));
  const { desktop, dataDir } = app;
  app = await openApp({ desktop, dataDir });
  window = new Window(app.browser);
  await window.go("runs");
  const row = await window.see("run-row");
  assert.match(await window.text(row), /Orders/);
});
