// Without Podman a shell command is refused; its fault leads to the switch, which lets it run and takes that back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

const TEXT = `document: {dsl: 1.0.3, namespace: test, name: greet, version: 1.0.0, title: Greet}
do:
  - greet: {run: {shell: {command: echo hello}}}
`;
const WITHOUT_PODMAN = { MASTRA_PODMAN: "/nonexistent/podman.sock" };

let app;
let window;
let document;

async function open(more = {}) {
  app = await openApp({ env: WITHOUT_PODMAN, ...more });
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
}

before(async () => {
  await open();
  document = await window.command("document_create", { kind: "workflow", text: TEXT });
});

after(() => app?.close());

/** Starts a run and opens it once it has ended. */
async function run(status) {
  const { id } = await window.command("run_start", { documentId: document.id, input: "{}" });
  await app.browser.execute((to) => (globalThis.location.hash = to), `#/runs/${id}`);
  await window.reads("run-status", status);
  return window.command("run_get", { id });
}

async function isOn() {
  return (await window.see("host-switch")).getAttribute("aria-checked");
}

async function turns(on) {
  await app.browser.waitUntil(async () => (await isOn()) === on, { timeoutMsg: `the switch is not ${on}` });
}

test("a shell command faults, and the fault leads to the switch", async () => {
  const { error } = await run(/Faulted/);
  assert.equal(error.code, "MD-407", JSON.stringify(error));
  await window.reads("fault-note", /test\/greet may not run on this machine/);
  await window.click("fault-repair");
  await turns("false");
  const focused = await app.browser.execute(() => globalThis.document.activeElement.dataset.testid);
  assert.equal(focused, "host-switch");
});

test("what would run is shown, and runs once it is allowed", async () => {
  await window.click("host-switch");
  await window.reads("host-program", /Greet.*Shell command.*echo hello/s);
  await window.click("allow-host-confirm");
  await turns("true");
  const { output } = await run(/Completed/);
  assert.equal(output, "hello");
});

test("it may still run after the app was closed and opened again", async () => {
  const { desktop, dataDir } = app;
  await app.quit();
  await open({ desktop, dataDir });
  const { output } = await run(/Completed/);
  assert.equal(output, "hello");
});

test("other commands are asked about anew", async () => {
  const { summary } = await window.command("document_get", { id: document.id });
  const text = TEXT.replace("echo hello", "echo other");
  await window.command("document_save", { id: document.id, text, baseRevision: summary.revision });
  const { error } = await run(/Faulted/);
  assert.equal(error.code, "MD-407");
  await window.click("fault-repair");
  await window.see("host-changed");
  await window.click("host-switch");
  await window.reads("host-program", /new or changed.*echo other/s);
  await window.click("allow-host-confirm");
  await turns("true");
});

test("taken back in Settings, it faults again", async () => {
  await window.go("settings");
  await window.click("settings-scripts");
  await window.click("take-back");
  await window.see("host-empty");
  const { error } = await run(/Faulted/);
  assert.equal(error.code, "MD-407");
});
