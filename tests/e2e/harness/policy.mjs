// What the content security policy refuses in a window, from the moment that it is watched.
import assert from "node:assert/strict";

/** Watches once for each page that is loaded; the driver's own scripts do not count. */
export async function watchPolicy(browser) {
  await browser.execute(() => {
    if (window.__e2eViolations) return;
    window.__e2eViolations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      const { violatedDirective, blockedURI, sourceFile, lineNumber, columnNumber, sample } = event;
      if (sourceFile.startsWith("user-script")) return;
      const place = `${sourceFile}:${lineNumber}:${columnNumber}`;
      window.__e2eViolations.push(`${violatedDirective}: ${blockedURI} at ${place} ${sample}`);
    });
  });
}

/** What was refused so far. */
export async function refusals(browser) {
  const found = await browser.execute(() => window.__e2eViolations ?? null);
  assert.ok(found, "the page was loaded anew and nobody watches its policy");
  return found;
}
