// The app where a person's is: what it keeps in the data folder and in the runtime folder, and what is left of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, readdir, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { filesWith, openDesktop, processesIn } from "../harness/desktop.mjs";
import { openTray } from "../harness/tray.mjs";
import { Window } from "../pages/window.mjs";

const AGENT_PORT = 7410;

let desktop;
let tray;
let app;
let window;
let isOurs;
let runtimeDir;
let token;
const other = createServer();

const tokenFile = () => join(runtimeDir, "token");
const read = (name) => readFile(join(runtimeDir, name), "utf8");

before(async () => {
  // Another program holds the agent's port: this test, or who had it before.
  other.listen(AGENT_PORT, "127.0.0.1");
  isOurs = await once(other, "listening").then(
    () => true,
    (error) => {
      assert.equal(error.code, "EADDRINUSE");
      return false;
    },
  );
  desktop = await openDesktop();
  runtimeDir = join(desktop.env.XDG_RUNTIME_DIR, "mastra");
  tray = await openTray(desktop.env.DBUS_SESSION_BUS_ADDRESS);
  await open();
  await window.runnable();
});

after(async () => {
  tray?.close();
  await app?.close();
  await desktop?.close();
  if (isOurs) other.close();
});

async function open() {
  app = await openApp({ desktop, usualFolders: true });
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
}

test("the workspace and the agent's data are in the data folder", async () => {
  const names = await readdir(desktop.home, { recursive: true });
  const found = names.filter((name) => ["workspace.db", "agent.db"].includes(basename(name)));
  assert.deepEqual(found.sort(), ["data/mastra/agent/agent.db", "data/mastra/workspace.db"]);
});

test("Orders runs with one click", async () => {
  await window.click("run-orders");
  await window.reads("run-status", /Completed/);
});

test("the token opens the agent and is readable by its user alone", async () => {
  assert.equal((await stat(runtimeDir)).mode & 0o777, 0o700);
  assert.equal((await stat(tokenFile())).mode & 0o777, 0o600);
  token = await read("token");
  const { listening } = JSON.parse(await read("agent.json"));
  const status = (headers) => fetch(`${listening}/api/v1/status`, { headers }).then((answer) => answer.status);
  assert.equal(await status({ authorization: `Bearer ${token}` }), 200);
  assert.equal(await status({}), 401);
});

test("the token is nowhere else", async () => {
  assert.deepEqual(await filesWith(desktop.home, token), [tokenFile()]);
  const tellers = [];
  for (const pid of await processesIn(desktop.home)) {
    for (const file of [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`]) {
      if ((await readFile(file, "utf8").catch(() => "")).includes(token)) tellers.push(file);
    }
  }
  assert.deepEqual(tellers, []);
});

test("a taken port is told, and another one used", async (t) => {
  if (!isOurs) {
    t.skip(`another program holds port ${AGENT_PORT} and may let go of it at any moment`);
    return;
  }
  const { listening } = JSON.parse(await read("agent.json"));
  assert.notEqual(new URL(listening).port, `${AGENT_PORT}`);
  const { checks } = await window.command("doctor_check", {});
  const { state, detail } = checks.find(({ id }) => id === "port");
  assert.equal(state, "warning");
  assert.match(detail, new RegExp(`port ${AGENT_PORT}`));
});

test("a second start shows the first and ends", async () => {
  const before = await app.programs();
  const env = { ...desktop.env, MASTRA_DATA_DIR: undefined };
  const second = desktop.start(process.env.MASTRA_APP, [], { env });
  await second.ended;
  assert.equal(second.process.exitCode, 0, second.output);
  assert.deepEqual(await app.programs(), before);
});

test("with the app its agent and the token are gone", async () => {
  await tray.click("Quit");
  await app.browser.waitUntil(async () => (await app.programs()).length === 0, {
    timeout: 20_000,
    timeoutMsg: "the app or its agent is still there",
  });
  assert.deepEqual(await readdir(runtimeDir), []);
  assert.deepEqual(await filesWith(desktop.home, token), []);
});

test("the next start finds the runs and makes a new token", async () => {
  await open();
  await window.go("runs");
  await window.reads("run-row", /Orders/);
  assert.notEqual(await read("token"), token);
});
