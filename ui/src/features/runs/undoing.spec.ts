import { expect, it } from "vitest";
import { World } from "../../ipc/fake/world";
import { detailOf } from "../../ipc/fake/runs";
import { undoingOf } from "./undoing";

it("counts the run's own compensation, with what was given up and what is left", () => {
  const world = new World("full");
  const detail = detailOf(world.runs.find((run) => run.status === "running")!, Date.now());
  expect(undoingOf(detail)).toBeNull();
  const compensation = { undone: 2, skipped: 1, left: 3, parked: 4 };
  expect(undoingOf({ ...detail, compensation })).toEqual({ done: 2, all: 6 });
  expect(undoingOf(undefined)).toBeNull();
});

it("counts the handlers of a faulted run without one", () => {
  const world = new World("full");
  const detail = detailOf(world.runs.find((run) => run.status === "faulted")!, Date.now());
  expect(undoingOf(detail)).toEqual({ done: 2, all: 2 });
});
