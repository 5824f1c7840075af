import { describe, expect, it } from "vitest";
import type { AttemptView, TaskView } from "$ipc";
import { gapsOf, rowsOf, scaleOf, segmentsOf, stepsOf, tookOf } from "./timeline";

const at = (ms: number) => new Date(ms).toISOString();

function attempt(number: number, from: number, to: number | null, backoffMs: number | null = null): AttemptView {
  return { number, startedAt: at(from), endedAt: to === null ? null : at(to), status: to === null ? "running" : "faulted", error: null, backoffMs };
}

function task(fields: Partial<TaskView> & { key: string }): TaskView {
  return {
    reference: fields.key,
    name: fields.key,
    kind: "set",
    depth: 0,
    parent: null,
    iteration: null,
    status: "completed",
    startedAt: null,
    endedAt: null,
    input: null,
    output: null,
    error: null,
    note: null,
    attempts: [],
    idempotencyKey: null,
    compensation: false,
    ...fields,
  };
}

describe("rows", () => {
  const tried = task({ key: "b", attempts: [attempt(1, 0, 10), attempt(2, 20, 30)] });
  const tasks = [task({ key: "a" }), tried, task({ key: "undo", compensation: true }), task({ key: "c" })];

  it("shows the attempts of the selected task only, and a divider before the undoing ones", () => {
    expect(rowsOf(tasks, null).map((row) => row.key)).toEqual(["a", "b", "group undo", "undo", "c"]);
    expect(rowsOf(tasks, "b").map((row) => row.key)).toEqual(["a", "b", "b 1", "b 2", "group undo", "undo", "c"]);
  });

  it("does not repeat a single attempt", () => {
    expect(rowsOf([task({ key: "a", attempts: [attempt(1, 0, 1)] })], "a")).toHaveLength(1);
  });
});

describe("bars", () => {
  it("are the attempts, and the open one grows until now", () => {
    const view = task({ key: "a", startedAt: at(0), attempts: [attempt(1, 0, 10, 5), attempt(2, 15, null)] });
    expect(segmentsOf(view, 40).map(({ from, to }) => [from, to])).toEqual([[0, 10], [15, 40]]);
    expect(gapsOf(view, 40)).toEqual([{ from: 10, to: 15 }]);
  });

  it("wait where the task waits, and are halted where the run is", () => {
    const view = task({ key: "a", status: "waiting", startedAt: at(0), attempts: [attempt(1, 0, 10), attempt(2, 15, null)] });
    expect(segmentsOf(view, 40).map(({ status }) => status)).toEqual(["faulted", "waiting"]);
    expect(segmentsOf(view, 40, true).map(({ status }) => status)).toEqual(["faulted", "suspended"]);
  });

  it("shows a wait that goes on, no longer than it will last", () => {
    const view = task({ key: "a", status: "waiting", startedAt: at(0), attempts: [attempt(1, 0, 10, 1000)] });
    expect(gapsOf(view, 50)).toEqual([{ from: 10, to: 50 }]);
    expect(gapsOf(view, 5000)).toEqual([{ from: 10, to: 1010 }]);
  });

  it("shows no wait after the last attempt of a fault", () => {
    const view = task({ key: "a", status: "faulted", startedAt: at(0), endedAt: at(10), attempts: [attempt(1, 0, 10, 1000)] });
    expect(gapsOf(view, 5000)).toEqual([]);
  });

  it("is nothing for a task that was not reached", () => {
    expect(segmentsOf(task({ key: "a" }), 10)).toEqual([]);
    expect(tookOf(task({ key: "a" }), 10)).toBeNull();
  });
});

describe("the scale", () => {
  it("spans the run with at most eight round ticks", () => {
    const scale = scaleOf(1000, 14_210, 1, 1000);
    expect(scale.from).toBe(1000);
    expect(scale.to).toBeGreaterThanOrEqual(14_210);
    expect(scale.ticks.map((tick) => tick.label)).toEqual(["0 s", "2 s", "4 s", "6 s", "8 s", "10 s", "12 s"]);
  });

  it("zooms around the selected task and stays inside the run", () => {
    const zoomed = scaleOf(0, 10_000, 4, 9_900);
    expect(zoomed.to - zoomed.from).toBeCloseTo(2600);
    expect(zoomed.to).toBeLessThanOrEqual(10_400.001);
    expect(scaleOf(0, 10_000, 4, 0).from).toBe(0);
  });

  it("takes a run of no length", () => {
    expect(scaleOf(5, 5, 1, 5).to).toBeGreaterThan(5);
  });
});

it("steps stand in the order of time, over all tasks", () => {
  const tasks = [task({ key: "a", attempts: [attempt(1, 0, 1), attempt(2, 50, 51)] }), task({ key: "b", startedAt: at(10), endedAt: at(20) })];
  expect([...stepsOf(tasks, 100)]).toEqual([["a 1", 0], ["b 1", 1], ["a 2", 2]]);
});
