//! How the agent is: the pill, the status bar, Home and Settings read this.
import type { Tone } from "$components/tone";
import { commands, listen, Resource, viewOf, type RuntimePhase, type RuntimeStatus } from "$ipc";
import { failed } from "$components/toasts.svelte";

export const runtime = new Resource<RuntimeStatus>(() => commands.runtimeStatus());

const WORDS: Record<RuntimePhase, { word: string | null; tone: Tone }> = {
  ready: { word: null, tone: "completed" },
  starting: { word: "Starting", tone: "running" },
  switching: { word: "Switching", tone: "running" },
  degraded: { word: "Degraded", tone: "waiting" },
  stopped: { word: "Agent stopped", tone: "faulted" },
  failed: { word: "Agent stopped", tone: "faulted" },
};

export const modeTitle = (mode: RuntimeStatus["mode"]) => (mode === "native" ? "Native" : "Podman");

/** What the pill says and in which tone. */
export function pillOf(status: RuntimeStatus): { word: string; tone: Tone } {
  const { word, tone } = WORDS[status.phase];
  return { word: word ?? modeTitle(status.mode), tone };
}

/** What the agent takes of all cores of this machine, in percent. */
export function cpuShare(status: RuntimeStatus): number | null {
  return status.cpuPercent === null ? null : status.cpuPercent / (status.cpuCores ?? 1);
}

/** What a commit takes to reach the disk, in milliseconds. None was measured where the agent says 0. */
export function commitMs(status: RuntimeStatus | undefined): number | null {
  return status?.fsyncMs || null;
}

/** Whether commands that need the agent can work now. */
export function isAway(status: RuntimeStatus | undefined): boolean {
  return status?.phase === "stopped" || status?.phase === "failed";
}

/** Whether the agent is on its way: what fails now is read again when it is there. Not so where nobody says how it is. */
export function isComing(status: RuntimeStatus | undefined): boolean {
  if (status === undefined) return runtime.error === null;
  return status.phase === "starting" || status.phase === "switching";
}

/** Whether the agent has come or failed to: one that is stopped is about to start. */
export function hasSettled(status: RuntimeStatus): boolean {
  return status.phase === "ready" || status.phase === "degraded" || status.phase === "failed";
}

/** Calls the handler when the agent answers again after it was away; the returned function ends it. */
export function whenBack(handler: () => void): () => void {
  let away = isAway(runtime.data) || isComing(runtime.data);
  return listen("runtimeStatus", (status) => {
    const was = away;
    away = isAway(status) || isComing(status);
    if (was && !away) handler();
  });
}

export const restarting = $state({ now: false });

/** Restarts the agent; runs go on where they were. */
export async function restartAgent(): Promise<void> {
  if (restarting.now) return;
  restarting.now = true;
  try {
    runtime.put(await commands.runtimeRestart());
  } catch (thrown) {
    const view = viewOf(thrown);
    failed(`The agent was not restarted: ${view.detail}`);
  } finally {
    restarting.now = false;
  }
}
