//! What this window remembers of runs over its starts: whether one was ever opened, and whether there was any.

const KEY = "seen-run";

const ANY = "any-run";

/** Whether there were runs when they were last read: which of its shapes Home takes until it is read again. */
export function hadRuns(): boolean {
  return window.localStorage.getItem(ANY) !== null;
}

export function keepHadRuns(any: boolean): void {
  if (any) window.localStorage.setItem(ANY, "1");
  else window.localStorage.removeItem(ANY);
}

export function hasSeenRun(): boolean {
  return window.localStorage.getItem(KEY) !== null;
}

export function sawRun(): void {
  window.localStorage.setItem(KEY, "1");
}
