//! Where things stand on the timeline: rows, bars and ticks, computed from a run's tasks. No drawing.
import type { AttemptView, RunStatus, TaskView } from "$ipc";
import { taskTitle } from "$components/format";
import { hasEnded } from "./status";

export type TimelineRow =
  | { kind: "task"; key: string; task: TaskView }
  | { kind: "attempt"; key: string; task: TaskView; attempt: AttemptView }
  | { kind: "group"; key: string; label: string };

export interface Segment {
  from: number;
  to: number;
  status: RunStatus;
  compensation: boolean;
  /** The attempt it shows. */
  attempt: number;
}

/** A wait between two attempts. */
export interface Gap {
  from: number;
  to: number;
}

export interface Scale {
  from: number;
  to: number;
  ticks: { at: number; label: string }[];
}

/** Rows in order: each task, below the selected one its attempts, a divider before the undoing ones. */
export function rowsOf(tasks: readonly TaskView[], selected: string | null): TimelineRow[] {
  const rows: TimelineRow[] = [];
  let undoing = false;
  for (const task of tasks) {
    if (task.compensation && !undoing) rows.push({ kind: "group", key: `group ${task.key}`, label: "Compensation" });
    undoing = task.compensation;
    rows.push({ kind: "task", key: task.key, task });
    if (task.key !== selected || task.attempts.length < 2) continue;
    for (const attempt of task.attempts) rows.push({ kind: "attempt", key: `${task.key} ${attempt.number}`, task, attempt });
  }
  return rows;
}

const ms = (moment: string | null, now: number) => (moment === null ? now : Date.parse(moment));

/** The bars of a task, in milliseconds since 1970; one that has no end waits where its task does. */
export function segmentsOf(task: TaskView, now: number, halted = false): Segment[] {
  const base = { compensation: task.compensation };
  const open = (status: RunStatus): RunStatus => (halted ? "suspended" : task.status === "waiting" ? "waiting" : status);
  if (task.attempts.length > 0) {
    return task.attempts.map((attempt) => ({
      ...base,
      from: Date.parse(attempt.startedAt),
      to: ms(attempt.endedAt, now),
      status: attempt.endedAt === null && !hasEnded(attempt.status) ? open(attempt.status) : attempt.status,
      attempt: attempt.number,
    }));
  }
  if (task.startedAt === null) return [];
  const status = hasEnded(task.status) ? task.status : open(task.status);
  return [{ ...base, from: Date.parse(task.startedAt), to: ms(task.endedAt, now), status, attempt: 1 }];
}

/** The waits of a task: from the end of an attempt to the next one, or as long as the backoff says. */
export function gapsOf(task: TaskView, now: number): Gap[] {
  const gaps: Gap[] = [];
  task.attempts.forEach((attempt, index) => {
    if (attempt.endedAt === null) return;
    const from = Date.parse(attempt.endedAt);
    const next = task.attempts[index + 1];
    if (next) gaps.push({ from, to: Date.parse(next.startedAt) });
    else if (attempt.backoffMs !== null && task.status !== "faulted") gaps.push({ from, to: Math.min(now, from + attempt.backoffMs) });
  });
  return gaps.filter((gap) => gap.to > gap.from);
}

/** A task's name in words; what undoes a task has that task's name. */
export function titleOf(task: TaskView): string {
  return task.kind === "compensation" ? `Undo ${taskTitle(task.name)}` : taskTitle(task.name);
}

/** What a task took so far, or nothing when it was not reached. */
export function tookOf(task: TaskView, now: number): number | null {
  if (task.startedAt === null) return null;
  return Math.max(0, ms(task.endedAt, now) - Date.parse(task.startedAt));
}

const STEPS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000];
const TICKS_MAX = 7;

function tickLabel(at: number, step: number): string {
  if (step < 1000) return at >= 1000 ? `${(at / 1000).toFixed(step < 100 ? 2 : 1)} s` : `${at} ms`;
  if (step < 60_000) return `${at / 1000} s`;
  if (step < 3_600_000) return `${at / 60_000} min`;
  return `${at / 3_600_000} h`;
}

/** The span to show: the whole run, or a part of it around `focus` when zoomed. */
export function scaleOf(start: number, end: number, zoom: number, focus: number): Scale {
  const whole = Math.max(end - start, 10) * 1.04;
  const span = whole / zoom;
  const from = Math.min(start + whole - span, Math.max(start, focus - span / 2));
  const step = STEPS_MS.find((candidate) => span / candidate <= TICKS_MAX) ?? span;
  const ticks: Scale["ticks"] = [];
  for (let at = Math.ceil((from - start) / step) * step; at <= from - start + span; at += step) {
    ticks.push({ at: start + at, label: tickLabel(at, step) });
  }
  return { from, to: from + span, ticks };
}

/** Every attempt as one step of equal width, in order of time: start times mapped to step numbers. */
export function stepsOf(tasks: readonly TaskView[], now: number): Map<string, number> {
  const all = tasks.flatMap((task) => segmentsOf(task, now).map((segment) => ({ key: `${task.key} ${segment.attempt}`, from: segment.from })));
  all.sort((a, b) => a.from - b.from);
  return new Map(all.map((entry, index) => [entry.key, index]));
}
