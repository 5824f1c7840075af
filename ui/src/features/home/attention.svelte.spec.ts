import { describe, expect, it } from "vitest";
import type { PersonTask, RunSummary } from "$ipc";
import { needs, type Sources } from "./attention";

const none: Sources = { tasks: [], agent: null, faulted: [], deadLetters: 0, connections: [], documents: [], feeds: [], checks: [] };

function faulted(id: string, task: string): RunSummary {
  const error = { type: "x", code: null, status: 503, title: "HTTP 503 Service Unavailable", detail: "POST pay.example.com:443/charges: answered 503: upstream is down", instance: null };
  return {
    id,
    namespace: "shop",
    name: "orders",
    version: "1.0.0",
    title: "Orders",
    subject: null,
    status: "faulted",
    startedBy: { kind: "api", detail: null, replayOf: null },
    test: false,
    createdAt: "2026-11-21T09:31:00.000Z",
    endedAt: null,
    durationMs: 1,
    currentTask: task,
    error,
  };
}

describe("what needs a person", () => {
  it("is nothing when nothing is wrong", () => expect(needs(none)).toEqual({ shown: [], more: 0 }));

  it("begins with what waits for an answer", () => {
    const task = (run: string, title: string): PersonTask => ({ run, task: "/do/0/approve", kind: "approval", title, description: null, assignee: null, workflow: "Orders", schema: {}, since: "2026-11-21T09:31:00.000Z" });
    const one = needs({ ...none, tasks: [task("1", "Ship 7?")], deadLetters: 1 }).shown;
    expect(one.map((need) => need.title)).toEqual(["Ship 7?", "1 dead letter waits"]);
    expect(one[0]?.to).toBe("#/tasks?run=1&task=%2Fdo%2F0%2Fapprove");
    expect(needs({ ...none, tasks: [task("1", "Ship 7?"), task("2", "Ship 8?")] }).shown[0]).toMatchObject({ title: "2 tasks wait for an answer", text: "Ship 7?, Ship 8?" });
  });

  it("groups faulted runs by workflow and task", () => {
    const { shown } = needs({ ...none, faulted: [faulted("1", "chargeCard"), faulted("2", "chargeCard"), faulted("3", "reserve")] });
    expect(shown.map((need) => need.title)).toEqual(["2 Orders runs faulted at Charge card", "Orders faulted at Reserve"]);
    expect(shown[0]?.to).toBe("#/runs?status=faulted&workflow=shop%2Forders");
    expect(shown[1]?.to).toBe("#/runs/3");
    expect(shown[0]?.text).toContain("pay.example.com answered 503.");
  });

  it("shows five at most, worst first, and says how many more", () => {
    const many = Array.from({ length: 7 }, (_, index) => faulted(String(index), `task${index}`));
    const { shown, more } = needs({ ...none, faulted: many, deadLetters: 3 });
    expect(shown).toHaveLength(5);
    expect(more).toBe(3);
  });
});
