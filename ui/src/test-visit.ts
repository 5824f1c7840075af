//! How a test goes to a page: the address first, then the window, as a person would open a link.
import { render } from "@testing-library/svelte";
import App from "./App.svelte";

/** Sets the address and waits until the router has read it. */
export async function address(hash: string): Promise<void> {
  if (window.location.hash === hash) return;
  const read = new Promise((resolve) => window.addEventListener("hashchange", resolve, { once: true }));
  window.location.hash = hash;
  await read;
}

export async function visit(path: string) {
  await address(`#/${path}`);
  return render(App);
}
