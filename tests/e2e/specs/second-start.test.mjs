// A person who starts the app again, since its window is nowhere to be seen.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { openDesktop } from "../harness/desktop.mjs";
import { X11 } from "../harness/x11.mjs";
import { Window } from "../pages/window.mjs";

let desktop;
let display;
let app;
let window;
let main;

before(async () => {
  desktop = await openDesktop({ windowManager: true });
  display = await X11.open(desktop.env.DISPLAY);
  app = await openApp({ desktop });
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
  main = await display.appWindow();
  // Then closing the window leaves the app in the tray.
  await window.command("settings_set", { patch: { keepRunning: true } });
});

after(async () => {
  display?.close();
  await app?.close();
  await desktop?.close();
});

const until = (timeoutMsg, condition) => app.browser.waitUntil(condition, { timeout: 20_000, timeoutMsg });

const ways = [
  ["minimised", () => display.minimize(main)],
  ["closed to the tray", () => display.askToClose(main)],
];

for (const [how, away] of ways) {
  test(`a window that was ${how} is shown by the second start`, async () => {
    await until("the window is not shown at first", () => display.isShown(main));
    const before = await app.programs();
    await away();
    await until("the window stays", async () => !(await display.isShown(main)));

    const second = desktop.start(process.env.MASTRA_APP, [], { env: { ...desktop.env, MASTRA_DATA_DIR: app.dataDir } });
    await second.ended;
    assert.equal(second.process.exitCode, 0, second.output);
    await until("the window does not come back", () => display.isShown(main));
    await until("the window is not the active one", async () => (await display.activeWindow()) === main);
    assert.deepEqual(await app.programs(), before, "the first app goes on, alone");
    await window.reads("runtime-pill", /Native/);
  });
}
