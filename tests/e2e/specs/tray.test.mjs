// The icon in the tray: registered with the desktop, with a menu that works.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { openDesktop } from "../harness/desktop.mjs";
import { openTray } from "../harness/tray.mjs";
import { X11 } from "../harness/x11.mjs";
import { Window } from "../pages/window.mjs";

let desktop;
let tray;
let app;
let window;

before(async () => {
  desktop = await openDesktop();
  tray = await openTray(desktop.env.DBUS_SESSION_BUS_ADDRESS);
  app = await openApp({ desktop });
  window = new Window(app.browser);
});

after(async () => {
  tray?.close();
  await app?.close();
  await desktop?.close();
});

test("the icon is registered with the desktop, with its picture", async () => {
  assert.equal(await tray.property("Status"), "Active");
  assert.match(await tray.property("Id"), /tray/);
  assert.notEqual(await tray.property("IconName"), "");
});

test("its menu says how the agent is, and what can be done", async () => {
  await window.reads("runtime-pill", /Native/);
  await until("the menu does not say that the agent is ready", async () => /^Agent: ready/.test((await tray.entries())[0]?.label));
  const entries = await tray.entries();
  assert.deepEqual(
    entries.map(({ label, enabled }) => [label.replace(/,.*/, ""), enabled]),
    [
      ["Agent: ready", false],
      ["Open Mastra", true],
      ["Run Orders", true],
      ["Quit", true],
    ],
  );
});

test("Run Orders runs it", async () => {
  await tray.click("Run Orders");
  await window.go("runs");
  await window.reads("run-row", /Completed/);
  await window.reads("run-row", /Orders/);
});

test("Open brings back the window that was closed to the tray", async () => {
  await window.command("settings_set", { patch: { keepRunning: true } });
  const display = await X11.open(desktop.env.DISPLAY);
  try {
    const main = await display.appWindow();
    assert.equal(await display.isShown(main), true);
    await display.askToClose(main);
    await until("the closed window is still shown", async () => !(await display.isShown(main)));
    await tray.click("Open Mastra");
    await until("the window does not come back", () => display.isShown(main));
  } finally {
    display.close();
  }
  // An agent that goes on with the window closed outlives the app too.
  await window.command("settings_set", { patch: { keepRunning: false } });
});

test("Quit ends the app and its agent", async () => {
  assert.deepEqual((await app.programs()).map(({ name }) => name).sort(), ["flame-agent", "mastra"]);
  await tray.click("Quit");
  await until("the app or its agent is still there", async () => (await app.programs()).length === 0);
});

const until = (timeoutMsg, condition) => app.browser.waitUntil(condition, { timeout: 20_000, timeoutMsg });
