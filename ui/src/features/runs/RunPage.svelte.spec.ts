import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart } from "../../ipc/fake";

async function openFaulted() {
  const world = restart("full");
  const run = world.runs.find((known) => known.status === "faulted")!;
  await visit(`runs/${run.id}`);
  await screen.findByTestId("run-title");
  return { world, run };
}

const names = () => screen.getAllByTestId("timeline-row").map((row) => row.getAttribute("data-task"));
const selected = () => screen.getAllByTestId("timeline-row").find((row) => row.getAttribute("aria-selected") === "true")?.getAttribute("data-task");

describe("a faulted run", () => {
  it("opens at its fault with the attempts, the error, and what was undone", async () => {
    await openFaulted();
    expect(screen.getByTestId("run-status").textContent).toContain("Faulted at Reserve stock");
    expect(screen.getByText("Compensated, 2 of 2")).toBeDefined();
    expect(selected()).toBe("reserveStock");
    expect(names()).toEqual(["computeTotals", "switchOnAmount", "upsertOrder", "reserveStock", "releaseStock", "markFailed", "confirm"]);
    const attempts = screen.getAllByTestId("attempt-row").map((row) => row.textContent);
    expect(attempts).toHaveLength(4);
    expect(attempts[0]).toContain("Attempt 1 · 503");
    expect(attempts[0]).toContain("wait 1 s");
    expect(attempts[2]).toContain("Attempt 3 · timeout");
    expect(screen.getByTestId("fault-note").textContent).toContain("127.0.0.1:7411 answered 503 after 4 attempts");
    expect(screen.getByTestId("fault-next").textContent).toContain("the run goes on at Reserve stock");
    expect(screen.getByText(/entries, durability full now/)).toBeDefined();
  });

  it("moves by arrow keys and shows the input and output of the task", async () => {
    await openFaulted();
    await userEvent.keyboard("{ArrowUp}");
    expect(selected()).toBe("upsertOrder");
    await userEvent.click(screen.getByTestId("tab-output"));
    expect(screen.getByTestId("task-output").textContent).toContain('"upsertOrder": true');
    await userEvent.click(screen.getByTestId("tab-input"));
    expect(screen.getByTestId("task-input").textContent).toContain('"total"');
  });

  it("is retried once by the key, and its badge follows", async () => {
    const { world, run } = await openFaulted();
    await userEvent.keyboard("r");
    await waitFor(() => expect(screen.getByTestId("run-status").textContent).toContain("Running"));
    expect(world.run(run.id).status).toBe("running");
    expect(screen.queryByTestId("run-retry")).toBeNull();
    expect(screen.getByTestId("run-cancel")).toBeDefined();
  });

  it("is replayed from the selected task with its input", async () => {
    const { world, run } = await openFaulted();
    await userEvent.click(screen.getByTestId("replay-from-here"));
    const dialog = await screen.findByTestId("replay-dialog");
    await within(dialog).findByTestId("replay-input");
    await userEvent.click(within(dialog).getByTestId("replay-start"));
    await waitFor(() => expect(world.runs[0]?.startedBy).toMatchObject({ kind: "replay", replayOf: run.id }));
    expect(window.location.hash).toBe(`#/runs/${world.runs[0]?.id}`);
  });

  it("tests the selected task alone", async () => {
    const { world } = await openFaulted();
    await userEvent.click(screen.getByTestId("replay-from-here"));
    const dialog = await screen.findByTestId("replay-dialog");
    await within(dialog).findByTestId("replay-context");
    await userEvent.click(within(dialog).getByTestId("replay-alone"));
    await userEvent.click(within(dialog).getByTestId("replay-start"));
    await waitFor(() => expect(world.runs[0]).toMatchObject({ test: true }));
    expect((await screen.findAllByText("Test")).length).toBeGreaterThan(0);
  });

  it("says how much of a long journal is before what it shows", async () => {
    const { world, run } = await openFaulted();
    expect(screen.queryByTestId("timeline-omitted")).toBeNull();
    world.omitted.set(run.id, 4812);
    world.tell(run);
    expect((await screen.findByTestId("timeline-omitted")).textContent).toContain("4,812 entries before them are in the journal.");
  });

  it("shows the journal", async () => {
    await openFaulted();
    await userEvent.click(screen.getByTestId("run-view-journal"));
    await screen.findAllByText("attemptFaulted");
    expect(screen.queryByTestId("compacted")).toBeNull();
  });

  it("says how much of the journal is not kept any more", async () => {
    const { world, run } = await openFaulted();
    world.compacted.set(run.id, 120_000);
    await userEvent.click(screen.getByTestId("run-view-journal"));
    expect((await screen.findByTestId("compacted")).textContent).toContain("Entries 1 to 120,000 were compacted");
  });
});

describe("a running run", () => {
  it("is suspended, then resumed, each offered only where it does something", async () => {
    const world = restart("full");
    const run = world.runs.find((known) => known.status === "running")!;
    await visit(`runs/${run.id}`);
    await userEvent.click(await screen.findByTestId("run-suspend"));
    await waitFor(() => expect(screen.getByTestId("run-status").textContent).toContain("Suspended"));
    expect(screen.queryByTestId("run-suspend")).toBeNull();
    await userEvent.click(screen.getByTestId("run-resume"));
    await waitFor(() => expect(screen.getByTestId("run-status").textContent).toContain("Running"));
    expect(screen.queryByTestId("run-resume")).toBeNull();
  });

  it("undoes what it did, and a person settles what can't be undone", async () => {
    const world = restart("full");
    const run = world.runs.find((known) => known.status === "running")!;
    await visit(`runs/${run.id}`);
    await userEvent.click(await screen.findByTestId("run-undo"));
    await screen.findByTestId("parked-note");
    expect(screen.getByText("Compensating, 0 of 1")).toBeDefined();
    await userEvent.click(screen.getByTestId("compensation-skip"));
    await waitFor(() => expect(screen.getByTestId("run-status").textContent).toContain("Cancelled"));
    expect(screen.queryByTestId("parked-note")).toBeNull();
    expect(screen.getByText("Compensated, 0 of 1")).toBeDefined();
  });

  it("is cancelled", async () => {
    const world = restart("full");
    const run = world.runs.find((known) => known.status === "running")!;
    await visit(`runs/${run.id}`);
    await userEvent.click(await screen.findByTestId("run-cancel"));
    await waitFor(() => expect(screen.getByTestId("run-status").textContent).toContain("Cancelled"));
  });
});

it("an id that names nothing is said with the id", async () => {
  restart("full");
  await visit("runs/nothing");
  expect((await screen.findByTestId("error-note")).textContent).toContain("nothing");
});
