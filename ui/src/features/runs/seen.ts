//! Whether a run was ever opened on this machine: one of the first steps.

const KEY = "seen-run";

export function hasSeenRun(): boolean {
  return window.localStorage.getItem(KEY) !== null;
}

export function sawRun(): void {
  window.localStorage.setItem(KEY, "1");
}
