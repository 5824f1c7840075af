// What a page that was taken over could not do.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

let app;
let window;

before(async () => {
  app = await openApp({ refusals: "expected" });
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
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
  // The isolation frame drops what is not ours without a word, so silence is a refusal too; a command
  // that is ours answers in the same time.
  const answer = (command) =>
    app.browser.executeAsync((name, done) => {
      window.__TAURI_INTERNALS__.invoke(name, {}).then(
        () => done("allowed"),
        (error) => done(`refused: ${error}`),
      );
      const ours = () => window.__TAURI_INTERNALS__.invoke("app_info", {}).catch(() => {});
      ours().then(ours).then(() => done("refused: no answer"));
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
  let visits = 0;
  const stranger = createServer((request, response) => {
    visits += 1;
    response.end("reached");
  });
  await new Promise((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${stranger.address().port}/`;
  const refused = await app.browser.executeAsync(async (address, done) => {
    const outcome = {};
    const script = document.createElement("script");
    script.textContent = "window.__e2eInline = true";
    document.head.append(script);
    outcome.inline = window.__e2eInline === true ? "ran" : "refused";
    outcome.connect = await fetch(address).then(
      () => "reached",
      () => "refused",
    );
    for (const source of [address, "data:text/html,reached"]) {
      const frame = document.createElement("iframe");
      frame.src = source;
      const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
      document.body.append(frame);
      await loaded;
      frame.remove();
    }
    try {
      outcome.evaluated = new Function("return 'ran'")();
    } catch {
      outcome.evaluated = "refused";
    }
    done(outcome);
  }, address);
  stranger.close();
  assert.deepEqual(refused, {
    inline: "refused",
    connect: "refused",
    evaluated: "refused",
  });
  assert.equal(visits, 0, "no request left the window");
  const violations = (await window.errors()).join("\n");
  for (const directive of [/script-src/, /connect-src/, /frame-src|child-src|default-src/]) {
    assert.match(violations, directive);
  }
});
