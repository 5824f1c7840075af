// A person who opens the app for the first time and presses the one button.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

let app;
let window;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.watchPolicy();
});

after(() => app?.close());

test("the sample workspace is there and the agent runs natively", async () => {
  await window.runnable();
  await window.see("home-empty");
  await window.reads("runtime-pill", /Native/);
  await window.go("workflows");
  for (const title of ["Orders", "Folder to table", "Every morning"]) {
    await window.reads("workflows-list", new RegExp(title));
  }
});

test("Orders runs with one click and every task shows its input and output", async () => {
  await window.go("home");
  await window.click("run-orders");
  await window.reads("run-status", /Completed/);
  const rows = await window.parts("timeline-row");
  assert.ok(rows.length >= 5, `${rows.length} tasks on the timeline`);
  for (const row of rows) {
    if (/not run/.test(await window.text(row))) continue;
    await row.click();
    await window.see("task-panel");
    await window.click("tab-input");
    await window.see("task-input");
    await window.click("tab-output");
    await window.see("task-output");
  }
});

test("nothing that the pages did was refused by the policy", async () => {
  assert.deepEqual(await window.errors(), []);
});
