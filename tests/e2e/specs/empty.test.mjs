// A workspace where nothing is: each page teaches what it is for and leads to the next thing to do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

let app;
let window;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
});

after(() => app?.close());

async function isAt(hash) {
  await app.browser.waitUntil(async () => (await app.browser.execute(() => location.hash)) === hash, {
    timeout: 20_000,
    timeoutMsg: `the window did not go to ${hash}`,
  });
}

test("before the first run, Runs leads to Orders, and Events says what will stand there", async () => {
  await window.go("runs");
  await window.reads("runs-empty", /Nothing has run yet\..*what each task received and gave/s);
  await window.click("runs-to-home");
  await isAt("#/home");
  await window.see("run-orders");
  await window.go("events");
  await window.reads("letters-empty", /No dead letters\..*wait until you send them again/s);
  await window.click("events-log");
  await window.reads("events-empty", /No events yet\..*stands here as CloudEvents/s);
});

test("without any workflow, every page leads to a new one", async () => {
  for (const document of await window.command("documents_list", {})) await window.command("document_delete", { id: document.id });
  await window.go("workflows");
  await window.reads("workflows-empty", /No workflow yet\..*Begin with a template/s);
  await window.go("runs");
  await window.reads("runs-empty", /Nothing has run yet/);
  await window.click("runs-to-workflows");
  await isAt("#/workflows");
  await window.go("home");
  await window.reads("home-empty", /Nothing has run yet/);
  assert.equal(await (await window.part("run-orders")).isExisting(), false, "there is no Orders to run");
  await app.browser.$('[data-testid="home-empty"] button').click();
  await window.see("new-title");
  await window.click("new-create");
  await window.see("document-editor");
  await window.go("workflows");
  await window.see("workflows-list");
});
