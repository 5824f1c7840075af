//! Rows and the news about them.
import type { RunSummary } from "$ipc";

const newestFirst = (a: RunSummary, b: RunSummary) => {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1;
  return a.id < b.id ? 1 : -1;
};

/** The known rows with the moved ones replaced, and the new ones in their place, newest first. */
export function merged(known: readonly RunSummary[], moved: readonly RunSummary[]): RunSummary[] {
  const byId = new Map(moved.map((run) => [run.id, run]));
  const kept = known.map((run) => {
    const renewed = byId.get(run.id);
    byId.delete(run.id);
    return renewed ?? run;
  });
  return byId.size === 0 ? kept : [...byId.values(), ...kept].sort(newestFirst);
}
