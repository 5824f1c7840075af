// Every page in every scene of the fake, light and dark: accessible by every rule, also those of layout, without a fault,
// and whole in a small window and the smallest.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { violationsIn } from "../harness/axe.mjs";
import { faults, watchFaults } from "../harness/faults.mjs";
import { misfits } from "../harness/layout.mjs";
import { openScene, resize, serveScenes } from "../harness/scenes.mjs";
import { Window } from "../pages/window.mjs";

/** Pages that show what the scene has. */
const PAGES = [
  "home",
  "workflows",
  "workflows/doc-orders",
  "workflows/doc-folder",
  "runs",
  "runs/none",
  "tasks",
  "connections",
  "connections/con-local",
  "events/dead-letters",
  "events/log",
  "doctor",
  "settings/runtime",
  "settings/data",
  "settings/outbound",
  "settings/scripts",
];

/** Pages that are the same in every scene. */
const FIXED_PAGES = [
  "connections/new",
  "help",
  "help/for",
  "help/MD-404",
  "help/MD-999",
  "settings/appearance",
  "settings/shortcuts",
  "settings/about",
  "nowhere",
];

/** Whose runs show different parts; the fake's list begins with some of each. */
const STATES = ["faulted", "running", "waiting"];

/** A small screen, and what `src-tauri/tauri.conf.json` lets the window be at the least. */
const SMALL = [1280, 720];
const SMALLEST = [800, 600];

let server;

before(async () => {
  server = await serveScenes();
});

after(() => server?.close());

/** A browser for each, at the same time: one alone leaves the machine idle for half of it. */
describe("axe finds nothing on any page, and all that is there fits", { concurrency: true }, () => {
  for (const scene of ["full", "empty", "down"]) {
    test(`in the scene ${scene}`, async () => {
      const { browser, close } = await openScene(server.address, scene);
      try {
        await look(new Window(browser), scene);
      } finally {
        await close();
      }
    });
  }
});

async function look(window, scene) {
  await window.watchPolicy();
  await watchFaults(window.browser);
  const found = {};
  // Each page is looked at first in the theme that the one before was left in: what is not changed is not painted anew.
  const themes = ["light", "dark"];
  const sizes = [SMALL, SMALLEST];
  await resize(window.browser, SMALL);
  for (const [at, page] of (await pagesOf(window, scene)).entries()) {
    await window.visit(page);
    // What is around the pages is the same for all.
    const part = at === 0 ? "html" : "main";
    const here = await violationsIn(window.browser, themes, part);
    themes.reverse();
    here.push(...(await misfits(window.browser)));
    sizes.reverse();
    await resize(window.browser, sizes[0]);
    here.push(...(await misfits(window.browser)));
    if (here.length > 0) found[page] = here;
  }
  const [faulty, refused] = [await faults(window.browser), await window.errors()];
  assert.deepEqual({ found, faulty, refused }, { found: {}, faulty: [], refused: [] });
}

/** Pages by their address; where there are runs, one of each state. */
async function pagesOf(window, scene) {
  if (scene !== "full") return PAGES;
  await window.visit("runs");
  const runs = await window.browser.execute(
    (states) => states.map((state) => document.querySelector(`[data-testid=run-row][data-status=${state}]`)?.dataset.run),
    STATES,
  );
  assert.ok(runs.every(Boolean), `the list has no run of each state: ${runs}`);
  return [...PAGES, ...FIXED_PAGES, ...runs.map((id) => `runs/${id}`)];
}
