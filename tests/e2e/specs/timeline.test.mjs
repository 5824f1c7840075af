// A run is looked at while it runs: what it does shows as it does it, without a reload.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

let app;
let window;
let server;
let document;
/** Answers that are held back, by the path that was asked. */
const held = new Map();

before(async () => {
  server = createServer((request, response) => {
    held.set(request.url, response);
    server.emit("held");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  app = await openApp();
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
  document = await window.command("document_create", { kind: "workflow", text: text(server.address().port) });
});

after(async () => {
  await app?.close();
  server?.closeAllConnections();
  server?.close();
});

function text(port) {
  const call = (name) => `  - ${name}: {call: http, with: {method: get, endpoint: 'http://127.0.0.1:${port}/${name}'}}\n`;
  return `document: {dsl: 1.0.3, namespace: test, name: slow-partner, version: 1.0.0, title: Slow partner}
do:
${["first", "second"].map(call).join("")}  - third: {set: {done: true}}
`;
}

/** Answers the task of that name, once it has asked. */
async function answer(name) {
  while (!held.has(`/${name}`)) await once(server, "held");
  held.get(`/${name}`).setHeader("content-type", "application/json").end('{"ok": true}');
  held.delete(`/${name}`);
}

async function start() {
  const { id } = await window.command("run_start", { documentId: document.id, input: "{}" });
  return id;
}

/** Waits until the timeline shows these tasks in these states. */
async function tasks(expected) {
  let shown;
  await app.browser
    .waitUntil(
      async () => {
        shown = await app.browser.execute(() =>
          Object.fromEntries([...globalThis.document.querySelectorAll('[data-testid="timeline-row"]')].map((row) => [row.dataset.task, row.dataset.status])),
        );
        return JSON.stringify(shown) === JSON.stringify(expected);
      },
      { timeout: 20_000 },
    )
    .catch(() => assert.fail(`the timeline shows ${JSON.stringify(shown)}, not ${JSON.stringify(expected)}`));
}

test("its timeline grows task by task", async () => {
  const id = await start();
  await app.browser.execute((hash) => (globalThis.location.hash = hash), `#/runs/${id}`);
  await app.browser.execute(() => (globalThis.__e2eSamePage = true));
  await tasks({ first: "running", second: "pending", third: "pending" });
  await answer("first");
  await tasks({ first: "completed", second: "running", third: "pending" });
  await window.reads("run-status", /Running/);
  await answer("second");
  await tasks({ first: "completed", second: "completed", third: "completed" });
  await window.reads("run-status", /Completed/);
  assert.equal(await app.browser.execute(() => globalThis.__e2eSamePage), true, "the page was loaded anew");
});

test("its row in the list says where it is, and how it ended", async () => {
  await window.go("runs");
  await start();
  await window.reads("run-row", /Running.*First/s);
  await answer("first");
  await window.reads("run-row", /Running.*Second/s);
  await answer("second");
  await window.reads("run-row", /Completed/);
  assert.equal(await app.browser.execute(() => globalThis.__e2eSamePage), true, "the page was loaded anew");
});
