// The first run without a pointer: Tab leads through Home, each stop shows that it has the focus, Enter runs Orders.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pixelmatch from "pixelmatch";
import { PNG } from "pngjs";
import { Key } from "webdriverio";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

const STOPS = [
  "Skip to the page",
  "nav-home",
  "nav-workflows",
  "nav-runs",
  "nav-tasks",
  "nav-connections",
  "nav-events",
  "nav-help",
  "nav-doctor",
  "nav-settings",
  "My workspace",
  "open-palette",
  "runtime-pill",
  "new-workflow",
  "run-orders",
];
/** How far a ring reaches over its part. */
const RING_PX = 4;

let app;
let window;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.runnable();
});

after(() => app?.close());

for (const theme of ["light", "dark"]) {
  test(`Tab leads from the sidebar to the button, with a ring at each stop, ${theme}`, async () => {
    await window.theme(theme);
    await app.browser.execute(fromTheTop);
    const walked = [];
    for (const _ of STOPS) {
      await app.browser.keys(Key.Tab);
      walked.push({ ...(await focused()), picture: await picture() });
    }
    assert.deepEqual(
      walked.map(({ name }) => name),
      STOPS,
    );
    for (const [at, stop] of walked.entries()) {
      assert.ok(stop.ring, `${stop.name} has the focus and no ring: ${stop.outline}`);
      // The next stop's picture has the ring elsewhere; that of the last is compared with the one before.
      const other = walked[at + 1] ?? walked[at - 1];
      const changed = differing(stop.picture, other.picture, stop.place);
      const least = stop.place.right - stop.place.left;
      assert.ok(changed >= least, `the ring of ${stop.name} is not to be seen: ${changed} pixels differ around it`);
    }
  });
}

test("Enter on the button runs Orders", async () => {
  assert.equal((await focused()).name, "run-orders");
  await app.browser.keys(Key.Enter);
  await window.reads("run-status", /Completed/);
  await window.reads("run-title", /Orders/);
});

/** Lets the next Tab begin at the first stop. */
function fromTheTop() {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}

/** What has the focus: its name, whether it has a ring, and where it is with the ring. */
function focused() {
  return app.browser.execute((ringPx) => {
    const part = document.activeElement;
    const { outlineStyle, outlineWidth, outlineColor, outline } = getComputedStyle(part);
    const { left, top, right, bottom } = part.getBoundingClientRect();
    return {
      name: part.dataset.testid ?? part.textContent.trim(),
      ring: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && outlineColor !== "rgba(0, 0, 0, 0)",
      outline,
      place: {
        left: Math.max(0, Math.floor(left - ringPx)),
        top: Math.max(0, Math.floor(top - ringPx)),
        right: Math.ceil(right + ringPx),
        bottom: Math.ceil(bottom + ringPx),
      },
    };
  }, RING_PX);
}

async function picture() {
  await window.settle();
  return PNG.sync.read(Buffer.from(await app.browser.takeScreenshot(), "base64"));
}

/** How many pixels of a place differ between two pictures. */
function differing(one, other, { left, top, right, bottom }) {
  const [width, height] = [Math.min(right, one.width) - left, Math.min(bottom, one.height) - top];
  const parts = [one, other].map((picture) => {
    const part = new PNG({ width, height });
    PNG.bitblt(picture, part, left, top, width, height, 0, 0);
    return part.data;
  });
  return pixelmatch(parts[0], parts[1], null, width, height, { threshold: 0.1 });
}
