// A CSV file dropped into the inbox becomes rows; its bad row waits in the dead letters, is mended and sent.
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

let app;
let window;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
});

after(() => app?.close());

test("rows go to the table and the bad one is told with its line", async () => {
  const inbox = join(app.dataDir, "inbox");
  await mkdir(inbox, { recursive: true });
  const lines = ["id,name,email,city,spent"];
  for (let id = 1; id <= 500; id += 1) {
    lines.push(`${id},Person ${id},p${id}@example.com,Berlin,${id === 300 ? "much" : id}`);
  }
  await writeFile(join(app.dataDir, "customers.csv"), `${lines.join("\n")}\n`);
  await rename(join(app.dataDir, "customers.csv"), join(inbox, "customers.csv"));
  await window.go("home");
  await window.reads("feeds-card", /customers\.csv/);
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

/** Whether the table's database holds a text: SQLite keeps it as it is, in the file or its log. */
async function tableHolds(text) {
  for (const entry of await readdir(app.dataDir, { recursive: true, withFileTypes: true })) {
    if (!/^customers\.db(-wal)?$/.test(entry.name)) continue;
    const bytes = await readFile(join(entry.parentPath ?? entry.path, entry.name));
    if (bytes.includes(text)) return true;
  }
  return false;
}
