// A workflow is written in the window: mistakes are marked as one types, keys are completed, it is deployed and run.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Key } from "webdriverio";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

const TEXT = `document:
  dsl: 1.0.3
  namespace: test
  name: greeting
  version: 1.0.0
  title: Greeting
do:
  - greet:
      set:
        hello: \${ .name }
`;

let app;
let window;
let id;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
  ({ id } = await window.command("document_create", { kind: "workflow", text: TEXT }));
  await window.go("workflows");
  await app.browser.$('[data-name="greeting"] [data-row-link]').click();
  await window.see("document-editor");
  await focus();
});

after(() => app?.close());

test("a mistake is marked in the gutter and told below, and can't be deployed", async () => {
  await press([Key.Ctrl, Key.End]);
  await press("colour: red");
  await window.reads("problems", /colour/);
  await window.reads("problem", /11:1/);
  await inEditor("the gutter has no mark beside line 11", () => {
    const marks = [...root.querySelectorAll(".cm-gutter-lint .cm-gutterElement")];
    const line = [...root.querySelectorAll(".cm-lineNumbers .cm-gutterElement")].find((known) => known.textContent === "11");
    const top = line?.getBoundingClientRect().top;
    return marks.some((mark) => mark.querySelector(".cm-lint-marker-error") && mark.getBoundingClientRect().top === top);
  });
  assert.equal(await (await window.part("document-deploy")).isEnabled(), false, "what is wrong is not deployed");
});

test("F8 goes to the mistake, and once it is repaired nothing tells of it", async () => {
  await press([Key.Ctrl, Key.Home]);
  await activeLine("document:");
  await press(Key.F8);
  await activeLine("colour: red");
  await press([Key.Shift, Key.End]);
  await press(Key.Delete);
  await (await window.part("problems")).waitForExist({ reverse: true, timeout: 20_000 });
  await inEditor("a mark is left in the gutter", () => root.querySelector(".cm-lint-marker-error") === null);
});

test("a key is completed from the schema", async () => {
  await press("outp");
  await inEditor("nothing is offered", () => root.querySelector(".cm-tooltip-autocomplete [aria-selected]")?.textContent.startsWith("output"));
  // For a moment the editor takes no key for a list that has just come up: it may have been meant for the text.
  await inEditor("the list has gone", () => performance.now() - (window.__e2eOffered ??= performance.now()) > 100);
  await press(Key.Enter);
  await activeLine("  ");
  await press("as: '${ .hello }");
  await activeLine("  as: '${ .hello }'");
});

test("it is deployed by the button and run with input by the keys", async () => {
  await window.reads("document-saved", /Not deployed · saved/);
  await window.click("document-deploy");
  await window.reads("document-saved", /Deployed 1.0.0/);
  const { text } = await window.command("document_get", { id });
  assert.equal(text, `${TEXT}output:\n  as: '\${ .hello }'`);
  await focus();
  await press([Key.Ctrl, Key.Shift, Key.Enter]);
  await window.see("run-input");
  await app.browser.execute(() => document.querySelector('[data-testid="run-input"] [data-editor]').shadowRoot.querySelector(".cm-content").focus());
  await press([Key.Ctrl, "a"]);
  await press('{"name": "Ada');
  await press([Key.Ctrl, Key.Enter]);
  await window.reads("run-status", /Completed/);
  await window.click("tab-output");
  await window.reads("task-output", /"Ada"/);
});

/** Keys together where they are a list, else the letters of a text one after the other: the driver holds what it gets at once. */
async function press(keys) {
  if (Array.isArray(keys)) return app.browser.keys(keys);
  for (const letter of keys) await app.browser.keys(letter);
}

function focus() {
  return app.browser.execute(() => document.querySelector('[data-testid="document-editor"] [data-editor]').shadowRoot.querySelector(".cm-content").focus());
}

/** Waits until it holds of the editor's `root`: it stands in a shadow root. */
async function inEditor(timeoutMsg, holds) {
  const script = `const root = document.querySelector('[data-testid="document-editor"] [data-editor]').shadowRoot; return (${holds})();`;
  await app.browser.waitUntil(() => app.browser.execute(script), { timeout: 20_000, timeoutMsg });
}

async function activeLine(expected) {
  const script = `const root = document.querySelector('[data-testid="document-editor"] [data-editor]').shadowRoot; return root.querySelector(".cm-activeLine")?.textContent;`;
  let line;
  await app.browser
    .waitUntil(async () => (line = await app.browser.execute(script)) === expected, { timeout: 20_000 })
    .catch(() => assert.fail(`the cursor is in the line ${JSON.stringify(line)}, not ${JSON.stringify(expected)}`));
}
