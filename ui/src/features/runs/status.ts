//! The states of a run and a task: icon, tone and word, always these.
import Ban from "@lucide/svelte/icons/ban";
import CircleCheck from "@lucide/svelte/icons/circle-check";
import CircleDashed from "@lucide/svelte/icons/circle-dashed";
import CirclePause from "@lucide/svelte/icons/circle-pause";
import Hourglass from "@lucide/svelte/icons/hourglass";
import LoaderCircle from "@lucide/svelte/icons/loader-circle";
import OctagonX from "@lucide/svelte/icons/octagon-x";
import type { IconKind } from "$components/Icon.svelte";
import { taskTitle } from "$components/format";
import type { Tone } from "$components/tone";
import type { RunStatus, RunSummary, StartedBy } from "$ipc";

export interface StatusLook {
  icon: IconKind;
  tone: Tone;
  word: string;
}

export const STATUS: Record<RunStatus, StatusLook> = {
  pending: { icon: CircleDashed, tone: "pending", word: "Pending" },
  running: { icon: LoaderCircle, tone: "running", word: "Running" },
  waiting: { icon: Hourglass, tone: "waiting", word: "Waiting" },
  suspended: { icon: CirclePause, tone: "suspended", word: "Suspended" },
  completed: { icon: CircleCheck, tone: "completed", word: "Completed" },
  faulted: { icon: OctagonX, tone: "faulted", word: "Faulted" },
  cancelled: { icon: Ban, tone: "cancelled", word: "Cancelled" },
};

export const STATUSES = Object.keys(STATUS) as RunStatus[];

export const hasEnded = (status: RunStatus) => status === "completed" || status === "faulted" || status === "cancelled";

/** How long a run has taken so far, or took. */
export function tookMs(run: RunSummary, now: number): number {
  if (hasEnded(run.status)) return run.durationMs;
  return Math.max(run.durationMs, now - Date.parse(run.createdAt));
}

/** Where in its workflow a run is, or ended; what was cancelled before its first task was nowhere. */
export function whereIs(run: RunSummary): string {
  if (run.status === "completed") return "End";
  return run.currentTask ? taskTitle(run.currentTask) : run.endedAt === null ? "Start" : "–";
}

/** Who or what started it, in words. */
export function startedBy(by: StartedBy): { word: string; detail: string | null } {
  const WORDS = { api: "A person or program", webhook: "Webhook", schedule: "Schedule", replay: "Replay", workflow: "Another run" };
  return { word: WORDS[by.kind], detail: by.detail };
}
