// A CSV file dropped into the inbox becomes rows before one's eyes; its bad row waits in the dead letters, is mended and sent.
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

/** Enough for the window to be told of the rows on the way several times. */
const ROWS = 40_000;
const BAD_ROW = 300;
const READ_MS = 120_000;

let app;
let window;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
});

after(() => app?.close());

test("a file is read before one's eyes: rows and share grow until it is done", async () => {
  const inbox = join(app.dataDir, "inbox");
  await mkdir(inbox, { recursive: true });
  const lines = ["id,name,email,city,spent"];
  for (let id = 1; id <= ROWS; id += 1) {
    lines.push(`${id},Person ${id},p${id}@example.com,Berlin,${id === BAD_ROW ? "much" : id}`);
  }
  await writeFile(join(app.dataDir, "customers.csv"), `${lines.join("\n")}\n`);
  await window.go("home");
  await app.browser.execute(writeDownProgress);
  await rename(join(app.dataDir, "customers.csv"), join(inbox, "customers.csv"));
  await window.reads("feeds-card", /customers\.csv/);
  await (await window.part("feeds-card")).waitForExist({ reverse: true, timeout: READ_MS });
  const reading = (await app.browser.execute(() => globalThis.__e2eProgress)).filter(({ state }) => state === "reading");
  for (const figure of ["rows", "share"]) {
    const seen = reading.map((shown) => shown[figure]).filter((value) => value > 0);
    assert.ok(new Set(seen).size >= 2, `${figure} did not grow: ${JSON.stringify(reading)}`);
    assert.deepEqual(seen, seen.toSorted((one, other) => one - other), `${figure} went back`);
  }

  await window.go("workflows");
  await app.browser.$('[data-name="folder-to-table"] [data-row-link]').click();
  await window.reads("feed-row", /Done.*customers\.csv.*39,999 rows, 1 dead/s);
});

test("the bad row is told with its line, and the file stays where it was", async () => {
  const inbox = join(app.dataDir, "inbox");
  await window.go("events");
  await window.reads("letter-row", /customers\.csv/);
  await window.reads("letter-row", /301/);
  assert.ok((await readdir(inbox)).includes("customers.csv"), "the file stays where it was");
});

test("the bad row is mended, sent again, and is in the table", async () => {
  assert.ok(await tableHolds("Person 299"), "the rows around it are in the table");
  await window.click("letter-row");
  await window.see("letter-panel");
  await window.type("letter-editor", "300,Mended Person,p300@example.com,Berlin,much more");
  await window.click("letter-send");
  await window.reads("letter-panel", /Tries\s*2/);
  await window.reads("letter-panel", /much more/);
  assert.ok(!(await tableHolds("Mended Person")), "what is still bad is not written");

  await window.type("letter-editor", "300,Mended Person,p300@example.com,Berlin,300");
  await window.click("letter-send");
  await window.see("letters-empty");
  assert.ok(await tableHolds("Mended Person"), "the mended row is in the table");
});

/** Runs in the page: notes each figure that a file's row shows, with the share of the file that its meter shows. */
function writeDownProgress() {
  const progress = (globalThis.__e2eProgress = []);
  const look = () => {
    for (const row of document.querySelectorAll('[data-testid="feed-row"]')) {
      const rows = Number(/([\d,]+) rows?/.exec(row.textContent)[1].replaceAll(",", ""));
      const share = parseFloat(row.querySelector('svg[role="img"] rect:last-child')?.getAttribute("width") ?? "0");
      const last = progress.at(-1);
      if (last?.rows !== rows || last.share !== share || last.state !== row.dataset.state) progress.push({ state: row.dataset.state, rows, share });
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
}

/** Whether the table's database holds a text: SQLite keeps it as it is, in the file or its log. */
async function tableHolds(text) {
  for (const entry of await readdir(app.dataDir, { recursive: true, withFileTypes: true })) {
    if (!/^customers\.db(-wal)?$/.test(entry.name)) continue;
    const bytes = await readFile(join(entry.parentPath ?? entry.path, entry.name));
    if (bytes.includes(text)) return true;
  }
  return false;
}
