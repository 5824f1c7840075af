// Screens that are small, and none at all.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { openApp } from "../harness/app.mjs";

test("on a small screen the whole window is on it", async () => {
  const app = await openApp({ screen: "1280x720x24" });
  try {
    const frame = await app.browser.execute(() => [window.screenX, window.screenY, window.innerWidth, window.innerHeight]);
    assert.deepEqual(frame, [0, 0, 1280, 720]);
  } finally {
    await app.close();
  }
});

test("where no display can be reached it says so, and begins nothing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mastra-e2e-"));
  const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder };
  delete env.WAYLAND_DISPLAY;
  try {
    for (const display of ["", ":nowhere"]) {
      const data = join(folder, "data");
      const app = spawn(process.env.MASTRA_APP, ["--data-dir", data], {
        env: { ...env, DISPLAY: display },
        stdio: ["ignore", "ignore", "pipe"],
      });
      let said = "";
      app.stderr.on("data", (part) => (said += part));
      const [code] = await once(app, "close");
      assert.equal(code, 1, said);
      assert.match(said, /reaches no display/);
      assert.doesNotMatch(said, /panicked/);
      await assert.rejects(readdir(data), { code: "ENOENT" });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
