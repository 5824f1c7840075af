// A CSV file dropped into the inbox becomes rows; its bad row waits in the dead letters, is mended and sent.
import assert from "node:assert/strict";
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
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
