import { describe, expect, it } from "vitest";
import type { RunSummary } from "$ipc";
import { whereIs } from "./status";

const run = (fields: Partial<RunSummary>) => ({ status: "running", currentTask: null, endedAt: null, ...fields }) as RunSummary;

describe("where a run is", () => {
  it.each<[Partial<RunSummary>, string]>([
    [{ currentTask: "chargeCard" }, "Charge card"],
    [{ status: "pending" }, "Start"],
    [{ status: "completed", currentTask: "confirm", endedAt: "2026-11-21T09:31:00.000Z" }, "End"],
    [{ status: "faulted", currentTask: "chargeCard", endedAt: "2026-11-21T09:31:00.000Z" }, "Charge card"],
    [{ status: "cancelled", endedAt: "2026-11-21T09:31:00.000Z" }, "–"],
  ])("%o is at %s", (fields, at) => expect(whereIs(run(fields))).toBe(at));
});
