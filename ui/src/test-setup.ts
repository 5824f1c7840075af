//! What jsdom lacks and the window needs: dialogs, measures, the clipboard. Every test begins at Home with a fresh world.
import { cleanup, configure } from "@testing-library/svelte";
import { afterEach, beforeEach, vi } from "vitest";
import { toasts } from "./components/toasts.svelte";

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
});
