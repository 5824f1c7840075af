//! A failed command as something that can be thrown and caught.
import type { ErrorView } from "./bindings";

export class Failure extends Error {
  constructor(readonly view: ErrorView) {
    super(`${view.code} ${view.title}: ${view.detail}`);
    this.name = "Failure";
  }
}

/** The error to show for anything that was thrown. */
export function viewOf(thrown: unknown): ErrorView {
  if (thrown instanceof Failure) return thrown.view;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "MD-901", title: "A fault in Mastra itself", detail, value: null, hint: null, kept: null };
}
