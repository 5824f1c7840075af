//! What was just done, bottom right, with at most one way back. Never the only place of a fact.

export interface Toast {
  id: number;
  text: string;
  tone: "done" | "error";
  action?: { label: string; run: () => void | Promise<void> };
}

const SHOWN_MAX = 4;
const LIFE_MS = 5000;

let next = 1;
export const toasts = $state<Toast[]>([]);

/** Says what was done; leaves by itself after 5 s. */
export function done(text: string, action?: Toast["action"]): void {
  push({ id: next++, text, tone: "done", ...(action ? { action } : {}) });
}

/** Says what failed; stays until it is closed. */
export function failed(text: string, action?: Toast["action"]): void {
  push({ id: next++, text, tone: "error", ...(action ? { action } : {}) });
}

export function dismiss(id: number): void {
  const at = toasts.findIndex((toast) => toast.id === id);
  if (at >= 0) toasts.splice(at, 1);
}

function push(toast: Toast): void {
  toasts.push(toast);
  while (toasts.length > SHOWN_MAX) toasts.shift();
}

export { LIFE_MS };
