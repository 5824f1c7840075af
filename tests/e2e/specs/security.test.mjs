// What a page that was taken over could not do.
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
  await window.watchPolicy();
});

after(() => app?.close());

test("the desktop API is not a global, and prototypes are frozen", async () => {
  const found = await app.browser.execute(() => ({
    tauri: typeof window.__TAURI__,
    frozen: Object.isFrozen(Object.prototype),
  }));
  assert.deepEqual(found, { tauri: "undefined", frozen: true });
});

test("a command that was not granted is refused", async () => {
  const answer = (command) =>
    app.browser.executeAsync((name, done) => {
      window.__TAURI_INTERNALS__.invoke(name, {}).then(
        () => done("allowed"),
        (error) => done(`refused: ${error}`),
      );
    }, command);
  for (const command of [
    "plugin:fs|read_text_file",
    "plugin:shell|execute",
    "plugin:http|fetch",
    "plugin:updater|check",
    "plugin:webview|create_webview_window",
    "no_such_command",
  ]) {
    assert.match(await answer(command), /^refused/, command);
  }
});

test("the policy refuses what is not ours", async () => {
  const refused = await app.browser.executeAsync(async (done) => {
    const outcome = {};
    const script = document.createElement("script");
    script.textContent = "window.__e2eInline = true";
    document.head.append(script);
    outcome.inline = window.__e2eInline === true ? "ran" : "refused";
    outcome.connect = await fetch("http://127.0.0.1:9/").then(
      () => "reached",
      () => "refused",
    );
    const frame = document.createElement("iframe");
    frame.src = "http://127.0.0.1:9/";
    document.body.append(frame);
    try {
      outcome.evaluated = new Function("return 'ran'")();
    } catch {
      outcome.evaluated = "refused";
    }
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    frame.remove();
    done(outcome);
  });
  assert.deepEqual(refused, { inline: "refused", connect: "refused", evaluated: "refused" });
  const violations = (await window.errors()).join("\n");
  for (const directive of ["script-src", "connect-src", /frame-src|child-src|default-src/]) {
    assert.match(violations, new RegExp(directive));
  }
});
