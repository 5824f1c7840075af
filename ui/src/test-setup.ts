//! What jsdom lacks and the window needs: dialogs, measures, the clipboard. Every test begins at Home with a fresh world.
//! Workers are shared, what the window's modules keep is not: each file of tests begins with modules that no other has run.
import { afterEach, beforeEach, vi } from "vitest";

vi.resetModules();
const { cleanup, configure } = await import("@testing-library/svelte");
const { toasts } = await import("./components/toasts.svelte");

HTMLDialogElement.prototype.showModal = function showModal() {
  this.open = true;
};
HTMLDialogElement.prototype.close = function close() {
  this.open = false;
};

/** An error names what was looked for, not the whole page. */
configure({ asyncUtilTimeout: 20_000, getElementError: (message) => new Error(`${message ?? ""}\n${document.querySelector("main")?.textContent?.replace(/\s+/g, " ").slice(0, 400) ?? ""}`) });

class Measure {
  observe() {}
  unobserve() {}
  disconnect() {}
}
vi.stubGlobal("ResizeObserver", Measure);
vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
Element.prototype.scrollIntoView = () => undefined;
Element.prototype.scrollTo = () => undefined;
Object.defineProperty(HTMLElement.prototype, "offsetHeight", { value: 600 });
Object.defineProperty(HTMLElement.prototype, "offsetWidth", { value: 800 });
Range.prototype.getClientRects = () => [] as unknown as DOMRectList;
Range.prototype.getBoundingClientRect = () => new DOMRect();

beforeEach(() => {
  window.localStorage.clear();
  window.location.hash = "#/home";
});

afterEach(() => {
  cleanup();
  toasts.splice(0);
  document.body.replaceChildren();
  for (const { name } of [...document.documentElement.attributes]) document.documentElement.removeAttribute(name);
});
