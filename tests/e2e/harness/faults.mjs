// What a window's pages throw or write to the console as an error, from the moment that they are watched.
import assert from "node:assert/strict";

/** Watches once for each page that is loaded. */
export async function watchFaults(browser) {
  await browser.execute(() => {
    if (window.__e2eFaults) return;
    window.__e2eFaults = [];
    const note = (kind, fault) =>
      window.__e2eFaults.push(`${kind} at ${location.hash}: ${fault} ${fault?.stack ?? ""}`);
    addEventListener("error", ({ error, message }) => note("thrown", error ?? message));
    addEventListener("unhandledrejection", ({ reason }) => note("rejected", reason));
    const { error } = console;
    console.error = (...said) => {
      note("console", said.join(" "));
      error.apply(console, said);
    };
  });
}

/** What there was so far. */
export async function faults(browser) {
  const found = await browser.execute(() => window.__e2eFaults ?? null);
  assert.ok(found, "the page was loaded anew and nobody watches its faults");
  return found;
}
