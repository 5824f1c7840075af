//! How much of what a run did was undone.
import type { RunDetail } from "$ipc";

/** By the run's own compensation, else by the handlers that a faulted run went through; null for neither. */
export function undoingOf(detail: RunDetail | undefined): { done: number; all: number } | null {
  if (!detail) return null;
  if (detail.compensation) {
    const { undone, skipped, left } = detail.compensation;
    return { done: undone, all: undone + skipped + left };
  }
  const handlers = detail.tasks.filter((task) => task.compensation);
  if (detail.summary.status !== "faulted" || handlers.length === 0) return null;
  return { done: handlers.filter((task) => task.status === "completed").length, all: handlers.length };
}
