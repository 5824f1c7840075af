// What a task gave is pinned, outlives the app, and a test run takes it instead of the task.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

const TEXT = `document: {dsl: 1.0.3, namespace: test, name: sum, version: 1.0.0, title: Sum}
do:
  - first: {set: {one: '\${ .one }'}}
  - second: {set: {sum: '\${ .one + 1 }'}}
`;

let app;
let window;
let document;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
  document = await window.command("document_create", { kind: "workflow", text: TEXT });
  await window.command("run_start", { documentId: document.id, input: '{"one": 1}' });
});

after(() => app?.close());

async function openTest() {
  await window.go("workflows");
  await app.browser.$(`[data-name="sum"] [data-row-link]`).click();
  await window.click("document-test");
  await window.see("test-dialog");
}

test("an output is pinned on its task", async () => {
  await window.go("runs");
  await window.reads("run-row", /Completed/);
  await window.click("run-row");
  await app.browser.$(`[data-testid="timeline-row"][data-task="first"]`).click();
  await window.click("tab-output");
  await window.click("task-pin");
  await window.reads("pin-state", /Tests take this output/);
});

test("the pin is still there after the app was closed and opened again", async () => {
  const { desktop, dataDir } = app;
  await app.quit();
  app = await openApp({ desktop, dataDir });
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
  await openTest();
  await window.reads("pins", /First.*\/do\/0\/first/);
  await window.click("pin-show");
  await window.reads("pin-output", /"one": 1/);
});

test("a test takes what is pinned, and its run is marked as a test", async () => {
  const started = await window.command("document_test", { documentId: document.id, input: '{"one": 41}', pins: [] });
  await window.click("test-start");
  await window.reads("run-status", /Completed/);
  await app.browser.$(`[data-testid="timeline-row"][data-task="first"]`).click();
  await window.reads("task-panel", /given by the test/);
  await window.click("tab-output");
  await window.reads("task-output", /"one": 1/);
  await window.go("runs");
  await window.reads("runs-table", /Completed.*Completed.*Completed/s);
  const rows = await app.browser.execute(() =>
    [...globalThis.document.querySelectorAll('[data-testid="run-row"]')].map((row) => row.textContent),
  );
  assert.deepEqual(rows.map((text) => /Sum\s*Test/.test(text)), [true, true, false], rows.join("\n"));
  const { output } = await window.command("run_get", { id: started.id });
  assert.deepEqual(output, { sum: 42 }, "without the pin the task is executed");
});

test("a pin is taken away", async () => {
  await openTest();
  await window.click("pin-remove");
  await window.see("pins-empty");
});
