// Every page in light and dark: accessible, and the front page as the README shows it.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import pixelmatch from "pixelmatch";
import { PNG } from "pngjs";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

const PLACES = ["home", "workflows", "runs", "tasks", "connections", "events", "help", "doctor", "settings"];
const SCREENS = fileURLToPath(new URL("../screens/", import.meta.url));
const ARTIFACTS = fileURLToPath(new URL("../artifacts/", import.meta.url));

/** Fonts and figures differ a little between machines; a page that broke differs a lot. */
const DIFFERENT_SHARE_MAX = 0.06;

let app;
let window;

before(async () => {
  await mkdir(ARTIFACTS, { recursive: true });
  app = await openApp();
  window = new Window(app.browser);
  await app.browser.setWindowSize(1440, 900);
  await window.click("run-orders");
  await window.reads("run-status", /Completed/);
});

after(() => app?.close());

for (const theme of ["light", "dark"]) {
  test(`axe finds nothing on any page, ${theme}`, async () => {
    for (const place of PLACES) {
      await window.go(place);
      await window.theme(theme);
      await app.browser.saveScreenshot(`${ARTIFACTS}${place}-${theme}.png`);
      assert.deepEqual(await violations(), [], `${place}, ${theme}`);
    }
  });
}

test("the front page looks as the README shows it", async () => {
  await window.go("home");
  await window.theme("light");
  const taken = await app.browser.saveScreenshot(`${ARTIFACTS}home-light.png`);
  const file = `${SCREENS}home-light.png`;
  if (process.env.UPDATE === "1") {
    await mkdir(SCREENS, { recursive: true });
    await writeFile(file, taken);
  }
  const [before, now] = [PNG.sync.read(await readFile(file)), PNG.sync.read(taken)];
  assert.deepEqual([now.width, now.height], [before.width, before.height], "the size changed");
  const different = pixelmatch(before.data, now.data, null, now.width, now.height, { threshold: 0.2 });
  const share = different / (now.width * now.height);
  assert.ok(
    share <= DIFFERENT_SHARE_MAX,
    `${(share * 100).toFixed(1)} % of the page differs; look at ${ARTIFACTS}home-light.png`,
  );
});

test("a dialog shows all that it holds", async () => {
  await window.go("runs");
  await window.click("run-row");
  await window.click("run-replay");
  await window.see("replay-input");
  assert.deepEqual(await cutOff("replay-dialog"), []);
  await app.browser.keys("Escape");
  await window.go("workflows");
  await window.click("workflow-new");
  await window.see("new-title");
  assert.deepEqual(await cutOff("new-dialog"), []);
  await app.browser.keys("Escape");
});

/** Parts of a dialog that hold more than they show, though the screen has room for them. */
function cutOff(testid) {
  return app.browser.execute((id) => {
    const dialog = document.querySelector(`[data-testid="${id}"]`);
    if (dialog.clientHeight > window.innerHeight * 0.85) return [];
    return [...dialog.children]
      .filter((part) => part.scrollHeight > part.clientHeight + 1)
      .map((part) => `${part.tagName} shows ${part.clientHeight} of ${part.scrollHeight} px`);
  }, testid);
}

async function violations() {
  await app.browser.execute(axe.source);
  const found = await app.browser.executeAsync((done) => {
    // The isolation frame is the shell's: it holds no content and is never shown.
    const page = { exclude: ["#__tauri_isolation__"] };
    window.axe.run(page, { resultTypes: ["violations"] }).then(
      (result) =>
        done(
          result.violations.map(
            (violation) =>
              `${violation.id} at ${violation.nodes.map((node) => node.target.join(" ")).join(", ")}`,
          ),
        ),
      (error) => done([`axe failed: ${error}`]),
    );
  });
  return found;
}
