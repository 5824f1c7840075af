// A person who opens the app for the first time and presses the one button.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

const LOOK_EVERY_MS = 5;

let app;
let window;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.watchPolicy();
});

after(() => app?.close());

test("the sample workspace is there and the agent runs natively", async (t) => {
  const ms = await runnable();
  const build = process.env.MASTRA_APP.includes("/release/") ? "release" : "debug";
  t.diagnostic(`Orders could be run at most ${ms} ms after the window's page began to load (${build} build)`);
  await window.see("home-empty");
  await window.reads("runtime-pill", /Native/);
  await window.go("workflows");
  for (const title of ["Orders", "Folder to table", "Every morning"]) {
    await window.reads("workflows-list", new RegExp(title));
  }
});

/** Waits until Orders can be run; gives the page's age then, or when it was first looked at. */
function runnable() {
  return app.browser.executeAsync((everyMs, done) => {
    // Not by frames: none comes while nothing is drawn.
    const look = () => {
      const button = document.querySelector('[data-testid="run-orders"]:enabled');
      const agent = document.querySelector('[data-testid="runtime-pill"][data-phase="ready"]');
      if (button && agent) done(Math.round(performance.now()));
      else setTimeout(look, everyMs);
    };
    look();
  }, LOOK_EVERY_MS);
}

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
