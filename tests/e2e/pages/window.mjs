// What a person does in the window, by the names that the pages give their parts.
import assert from "node:assert/strict";

import { refusals, watchPolicy } from "../harness/policy.mjs";

const TIMEOUT_MS = 20_000;
const LOOK_EVERY_MS = 5;

/** The window of an open app, with one method per thing a person does in it. */
export class Window {
  constructor(browser) {
    this.browser = browser;
  }

  part(testid) {
    return this.browser.$(`[data-testid="${testid}"]`);
  }

  parts(testid) {
    return this.browser.$$(`[data-testid="${testid}"]`);
  }

  async see(testid, timeout = TIMEOUT_MS) {
    const part = await this.part(testid);
    await part.waitForDisplayed({ timeout }).catch(async () => assert.fail(`${testid} is not shown. ${await this.#says()}`));
    return part;
  }

  async click(testid) {
    const part = await this.see(testid);
    await part.waitForEnabled({ timeout: TIMEOUT_MS });
    await part.click();
  }

  async type(testid, text) {
    const part = await this.see(testid);
    await part.setValue(text);
  }

  /** All text of a part, also where the page cuts it off. */
  text(part) {
    return this.browser.execute((element) => element.textContent, part);
  }

  /** Waits until the part's text matches, cut off or not; fails with what it says instead. */
  async reads(testid, pattern, timeout = TIMEOUT_MS) {
    let text = "";
    await this.browser
      .waitUntil(
        async () => {
          text = await this.browser.execute(
            (id) => document.querySelector(`[data-testid="${id}"]`)?.textContent ?? "",
            testid,
          );
          return pattern.test(text);
        },
        { timeout },
      )
      .catch(async () => assert.fail(`${testid} reads ${JSON.stringify(text)}, not ${pattern}. ${await this.#says()}`));
    return text;
  }

  /** Where the window is and what stands in it, for a test that did not find what it looked for. */
  async #says() {
    const { hash, text } = await this.browser.execute(() => ({
      hash: location.hash,
      text: document.body.innerText.replace(/\s+/g, " "),
    }));
    return `The window is at ${hash} and says: ${text.slice(0, 2_000)}`;
  }

  /** A command of the window, for what a test needs to be there before it looks. */
  async command(name, input) {
    const outcome = await this.browser.executeAsync(
      (name, input, done) => {
        window.__TAURI_INTERNALS__.invoke(name, { input }).then(
          (value) => done({ value }),
          (error) => done({ error }),
        );
      },
      name,
      input,
    );
    assert.equal(outcome.error, undefined, `${name}: ${JSON.stringify(outcome.error)}`);
    return outcome.value;
  }

  /** Waits until Orders can be run; gives the page's age in ms then, and when it was first looked at. */
  runnable() {
    return this.browser.executeAsync((everyMs, done) => {
      const age = () => Math.round(performance.now());
      const lookedMs = age();
      // Not by frames: none comes while nothing is drawn.
      const look = () => {
        const button = document.querySelector('[data-testid="run-orders"]:enabled');
        const agent = document.querySelector('[data-testid="runtime-pill"][data-phase="ready"]');
        if (button && agent) done({ runnableMs: age(), lookedMs });
        else setTimeout(look, everyMs);
      };
      look();
    }, LOOK_EVERY_MS);
  }

  async go(place) {
    await this.click(`nav-${place}`);
    await this.browser.waitUntil(
      async () => (await (await this.part(`nav-${place}`)).getAttribute("aria-current")) === "page",
      { timeout: TIMEOUT_MS, timeoutMsg: `the window did not go to ${place}` },
    );
  }

  /** Goes to an address such as `runs/1`, as a link does, and waits until the page has its title and all that it reads. */
  async visit(path) {
    const come = await this.browser.executeAsync(
      (hash, everyMs, timeoutMs, done) => {
        const begun = performance.now();
        const look = () => {
          const main = document.querySelector("main");
          if (main?.querySelector("h1") && !main.querySelector("[data-testid=skeleton]")) done(true);
          else if (performance.now() - begun > timeoutMs) done(false);
          else setTimeout(look, everyMs);
        };
        if (location.hash === hash) return look();
        // The router has heard of it before, so that what is looked at is the new page.
        addEventListener("hashchange", look, { once: true });
        location.hash = hash;
      },
      `#/${path}`,
      LOOK_EVERY_MS,
      TIMEOUT_MS,
    );
    if (!come) assert.fail(`${path} does not come up. ${await this.#says()}`);
  }

  /** Two frames: a picture can lag the document by one. */
  async settle() {
    await this.browser.executeAsync((done) =>
      requestAnimationFrame(() => requestAnimationFrame(() => done())),
    );
  }

  async theme(name) {
    await this.browser.execute((theme) => {
      document.documentElement.dataset.theme = theme;
    }, name);
    await this.settle();
  }

  /** What the content security policy has refused so far. */
  errors() {
    return refusals(this.browser);
  }

  watchPolicy() {
    return watchPolicy(this.browser);
  }
}
