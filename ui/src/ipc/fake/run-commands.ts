//! Runs of the fake: started, moved along by timers, cancelled, retried and replayed.
import type { RunSummary } from "../bindings";
import type { Handlers } from "./handlers";
import { detailOf } from "./runs";
import { failure, type World } from "./world";

type Part = Pick<
  Handlers,
  "runStart" | "runsList" | "runGet" | "runJournal" | "runTaskInput" | "runFollow" | "runUnfollow" | "runSuspend" | "runResume" | "runCancel" | "runCompensation" | "runRetry" | "runReplay" | "runTest"
>;

const TASK_MS = 600;

export function runHandlers(world: World): Part {
  return {
    runStart: ({ documentId, input }) => {
      world.needAgent();
      const { summary } = world.document(documentId);
      world.inputs.set(documentId, input);
      const parsed: unknown = JSON.parse(input);
      const subject = typeof parsed === "object" && parsed !== null && "id" in parsed ? String(parsed.id) : null;
      return begin(world, { name: summary.name, title: summary.title, version: summary.version, subject, startedBy: { kind: "api", detail: null, replayOf: null } });
    },
    runsList: ({ statuses, workflow, text, since, cursor, limit }) => {
      world.needAgent();
      const all = world.runs.filter(
        (run) =>
          (!statuses?.length || statuses.includes(run.status)) &&
          (!workflow || `${run.namespace}/${run.name}` === workflow) &&
          (!text || `${run.id} ${run.title} ${run.subject ?? ""}`.toLowerCase().includes(text.toLowerCase())) &&
          (!since || run.createdAt >= since),
      );
      const from = cursor ? Number(cursor) : 0;
      const items = all.slice(from, from + limit);
      return { items, next: from + limit < all.length ? String(from + limit) : null, total: all.length };
    },
    runGet: ({ id }) => {
      world.needAgent();
      const detail = detailOf(world.run(id), Date.now());
      return { ...detail, compensation: world.compensations.get(id) ?? null, entriesOmitted: world.omitted.get(id) ?? 0 };
    },
    runJournal: ({ id, after, limit }) => {
      const detail = detailOf(world.run(id), Date.now());
      const items = [{ at: detail.summary.createdAt, kind: "started", task: null as string | null, data: { input: detail.input } as unknown }];
      for (const task of detail.tasks) {
        if (!task.startedAt) continue;
        items.push({ at: task.startedAt, kind: "taskStarted", task: task.reference, data: { input: task.input } });
        for (const attempt of task.attempts) {
          if (attempt.error) items.push({ at: attempt.endedAt ?? attempt.startedAt, kind: "attemptFaulted", task: task.reference, data: { attempt: attempt.number, error: attempt.error } });
        }
        if (task.endedAt) items.push({ at: task.endedAt, kind: task.status === "faulted" ? "taskFaulted" : "taskCompleted", task: task.reference, data: { output: task.output } });
      }
      const all = items.map((item, index) => ({ ...item, seq: index + 1 })).filter((item) => item.seq > (after ?? 0));
      return { items: all.slice(0, limit), next: null, compacted: world.compacted.get(id) ?? 0 };
    },
    runTaskInput: ({ id, task }) => {
      const detail = detailOf(world.run(id), Date.now());
      const found = detail.tasks.find((view) => view.key === task || view.reference === task);
      const text = (value: unknown) => JSON.stringify(value, null, 2);
      return { input: text(found?.input ?? detail.input), context: task ? text(detail.input) : null };
    },
    runFollow: () => null,
    runUnfollow: () => null,
    runCancel: ({ id, compensate }) => {
      const run = world.run(id);
      if (run.endedAt) throw failure("MD-212", "The run is not in a state that allows this", `The run is ${run.status}.`, { value: run.status });
      if (compensate) {
        // As if the first one failed too often.
        run.status = "waiting";
        world.compensations.set(id, { undone: 0, skipped: 0, left: 1, parked: 1 });
        world.tell(run);
        return run;
      }
      end(world, run, "cancelled");
      return run;
    },
    runCompensation: ({ id, number, skip }) => {
      const run = world.run(id);
      const compensation = world.compensations.get(id);
      if (compensation?.parked !== number) throw failure("MD-212", "The run is not in a state that allows this", `The run is ${run.status}.`, { value: run.status });
      world.compensations.set(id, { undone: compensation.undone + (skip ? 0 : 1), skipped: compensation.skipped + (skip ? 1 : 0), left: 0, parked: null });
      end(world, run, "cancelled");
      return run;
    },
    runSuspend: ({ id }) => halt(world, id, "running", "suspended"),
    runResume: ({ id }) => halt(world, id, "suspended", "running"),
    runRetry: ({ id }) => {
      const run = world.run(id);
      Object.assign(run, { status: "running", endedAt: null, error: null });
      world.tell(run);
      setTimeout(() => end(world, run, "completed"), TASK_MS * 2);
      return run;
    },
    runReplay: ({ id, input, context }) => {
      const old = world.run(id);
      JSON.parse(input);
      if (context) JSON.parse(context);
      return begin(world, { name: old.name, title: old.title, version: old.version, subject: old.subject, startedBy: { kind: "replay", detail: null, replayOf: id } });
    },
    runTest: ({ id, input }) => {
      const old = world.run(id);
      JSON.parse(input);
      return begin(world, { name: old.name, title: old.title, version: old.version, subject: old.subject, test: true, startedBy: { kind: "api", detail: null, replayOf: null } });
    },
  };
}

/** A run that goes through its tasks by itself. */
export function begin(world: World, fields: Partial<RunSummary>): RunSummary {
  const run = world.makeRun({ ...fields, status: "running", currentTask: "computeTotals" });
  world.runs.unshift(run);
  world.tell(run);
  const steps = 5;
  for (let step = 1; step < steps; step += 1) {
    setTimeout(() => {
      if (run.endedAt || run.status === "suspended") return;
      run.durationMs = Date.now() - Date.parse(run.createdAt);
      world.tell(run);
    }, TASK_MS * step);
  }
  setTimeout(() => end(world, run, "completed"), TASK_MS * steps);
  return run;
}

function halt(world: World, id: string, from: RunSummary["status"], to: RunSummary["status"]): RunSummary {
  const run = world.run(id);
  if (run.status !== from) throw failure("MD-212", "The run is not in a state that allows this", `The run is ${run.status}.`, { value: run.status });
  run.status = to;
  world.tell(run);
  return run;
}

function end(world: World, run: RunSummary, status: "completed" | "cancelled"): void {
  if (run.endedAt) return;
  const now = Date.now();
  Object.assign(run, { status, endedAt: new Date(now).toISOString(), durationMs: now - Date.parse(run.createdAt), currentTask: null });
  world.tell(run);
}
