// A machine without any network: what the app promises for the first minute holds there too.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, readlink } from "node:fs/promises";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { isOffline, runOffline, withoutNamespace } from "../harness/offline.mjs";
import { Window } from "../pages/window.mjs";

const AGENT = "http://127.0.0.1:7410";
// Documentation's own network (RFC 5737): no packet for it may ever leave.
const ELSEWHERE = "192.0.2.1";

if (isOffline) inside();
else {
  test("the app needs no network", async (t) => {
    const reason = withoutNamespace();
    if (reason) {
      assert.ok(!process.env.MASTRA_MUST_RUN, reason);
      t.skip(reason);
      return;
    }
    const run = runOffline(import.meta.filename);
    t.after(() => run.stop());
    await run.ended;
    assert.equal(run.process.exitCode, 0, run.output);
  });
}

function inside() {
  let app;
  let window;

  before(async () => {
    app = await openApp({ usualFolders: true });
    window = new Window(app.browser);
  });

  after(() => app?.close());

  test("there is nothing but loopback", async () => {
    assert.deepEqual(Object.keys(networkInterfaces()), ["lo"]);
    const [error] = await once(connect(80, ELSEWHERE), "error");
    assert.equal(error.code, "ENETUNREACH");
    const here = await readlink("/proc/self/ns/net");
    const programs = [];
    await window.runnable();
    for (const { pid, name } of await app.programs()) programs.push([name, await readlink(`/proc/${pid}/ns/net`)]);
    assert.deepEqual(programs.sort(), [["flame-agent", here], ["mastra", here]]);
  });

  test("Orders runs with one click", async () => {
    await window.click("run-orders");
    await window.reads("run-status", /Completed/);
  });

  test("the agent has the port that lasts, as nobody else is here", async () => {
    const note = await readFile(join(app.desktop.env.XDG_RUNTIME_DIR, "mastra", "agent.json"), "utf8");
    assert.equal(JSON.parse(note).listening, AGENT);
    assert.ok((await fetch(`${AGENT}/health/live`)).ok);
  });
}
