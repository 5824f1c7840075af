// A password goes to the keychain; without one, into a vault that a passphrase opens; never into a file.
import assert from "node:assert/strict";
import { test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { filesWith } from "../harness/desktop.mjs";
import { Window } from "../pages/window.mjs";

const CANARY = "canary-7f3a-password";
const PASSPHRASE = "correct horse battery";

for (const keyring of [true, false]) {
  const where = keyring ? "the keychain" : "a vault with a passphrase";
  test(`a password is kept in ${where}`, async () => {
    const app = await openApp({ keyring });
    try {
      const window = new Window(app.browser);
      await window.reads("runtime-pill", /Native/);
      await window.go("connections");
      await window.click("connection-new");
      await window.click("kind-postgres");
      await window.type("connection-name", "orders-database");
      await window.type("field-host", "127.0.0.1");
      await window.type("field-database", "orders");
      await window.type("field-user", "orders_app");
      await window.type("connection-secret", CANARY);
      await window.click("connection-save");
      if (!keyring) {
        await window.see("passphrase-dialog");
        await window.type("passphrase", PASSPHRASE);
        await window.type("passphrase-again", PASSPHRASE);
        await window.click("passphrase-open");
      }
      await window.go("connections");
      await window.reads("connection-row", /orders-database/);
      assert.deepEqual(await filesWith(app.desktop.home, CANARY), []);
    } finally {
      await app.close();
    }
  });
}
