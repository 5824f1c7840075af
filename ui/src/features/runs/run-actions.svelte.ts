//! What a person can do to a run. Each is busy while it works, so that ten clicks are one.
import { done, failed } from "$components/toasts.svelte";
import { commands, viewOf, type RunSummary } from "$ipc";
import type { RunAct, RunView } from "./run.svelte";

async function act(view: RunView, kind: RunAct, what: () => Promise<RunSummary>, said: string): Promise<void> {
  if (view.busy) return;
  view.busy = kind;
  try {
    await what();
    done(said);
    await view.detail.reload();
  } catch (thrown) {
    const error = viewOf(thrown);
    failed(`${error.title}: ${error.detail}`);
  } finally {
    view.busy = null;
  }
}

/** Goes on at the task that faulted, with the input it had. */
export function retryRun(view: RunView): Promise<void> {
  return act(view, "retry", () => commands.runRetry({ id: view.id }), "The run goes on where it faulted");
}

/** Halts the run: what is under way ends, nothing new begins. */
export function suspendRun(view: RunView): Promise<void> {
  return act(view, "suspend", () => commands.runSuspend({ id: view.id }), "The run is suspended");
}

export function resumeRun(view: RunView): Promise<void> {
  return act(view, "resume", () => commands.runResume({ id: view.id }), "The run goes on");
}

export function cancelRun(view: RunView): Promise<void> {
  return act(view, "cancel", () => commands.runCancel({ id: view.id, compensate: false }), "The run was cancelled");
}

/** Undoes what the run did, the last first, and cancels it then. */
export function undoRun(view: RunView): Promise<void> {
  return act(view, "undo", () => commands.runCancel({ id: view.id, compensate: true }), "The run undoes what it did");
}

/** Tries the compensation again that waits for a person, or gives it up. */
export function settleCompensation(view: RunView, number: number, skip: boolean): Promise<void> {
  return act(view, "compensation", () => commands.runCompensation({ id: view.id, number, skip }), skip ? "It was given up" : "It is tried again");
}
