import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart } from "../../ipc/fake";
import { emitter } from "../../ipc/fake/emitter";

const WORKFLOW = "shop/orders";

/** A completed run with the output of its first task in sight. */
async function openOutput() {
  const world = restart("full");
  const run = world.runs.find((known) => known.status === "completed" && known.name === "orders")!;
  await visit(`runs/${run.id}`);
  await userEvent.click((await screen.findAllByTestId("timeline-row"))[0]!);
  await userEvent.click(screen.getByTestId("tab-output"));
  return { world, run };
}

describe("an output", () => {
  it("is pinned on its task, said there, and taken away", async () => {
    const { world, run } = await openOutput();
    await userEvent.click(await screen.findByTestId("task-pin"));
    await screen.findByText("The output of Compute totals is pinned for tests");
    expect(world.pins.get(WORKFLOW)).toMatchObject([{ task: "/do/0/computeTotals", run: run.id }]);
    expect(screen.getByTestId("pin-state").textContent).toContain("Tests take this output.");
    expect(screen.queryByTestId("task-pin")).toBeNull();
    await userEvent.click(screen.getByTestId("task-unpin"));
    await screen.findByTestId("task-pin");
    expect(world.pins.get(WORKFLOW)).toEqual([]);
  });

  it("of another run is named, and can be taken instead", async () => {
    const { world, run } = await openOutput();
    await screen.findByTestId("task-pin");
    const pin = { task: "/do/0/computeTotals", name: "computeTotals", output: 1, run: "other-run-0001", pinnedAt: run.createdAt, known: true };
    world.pins.set(WORKFLOW, [pin]);
    emitter.emit("documentsChanged", { ids: [] });
    await waitFor(() => expect(screen.getByTestId("pin-state").textContent).toContain("Tests take the output of"));
    await userEvent.click(screen.getByTestId("task-pin"));
    await waitFor(() => expect(world.pins.get(WORKFLOW)?.[0]?.run).toBe(run.id));
  });

  it("is not offered where a task gave none", async () => {
    const world = restart("full");
    const run = world.runs.find((known) => known.status === "faulted")!;
    await visit(`runs/${run.id}`);
    await userEvent.click(await screen.findByTestId("tab-output"));
    expect(screen.queryByTestId("pin-state")).toBeNull();
  });
});

describe("a test in the editor", () => {
  const pin = (task: string, known = true) => ({ task, name: task.split("/").at(-1)!, output: { kept: task }, run: "run-0001", pinnedAt: new Date().toISOString(), known });

  async function openTest(pins: ReturnType<typeof pin>[]) {
    const world = restart("full");
    world.pins.set(WORKFLOW, pins);
    await visit("workflows/doc-orders");
    await userEvent.click(await screen.findByTestId("document-test"));
    const dialog = within(await screen.findByTestId("test-dialog"));
    await dialog.findByTestId("pins");
    await dialog.findByTestId("test-input");
    return { world, dialog };
  }

  it("runs with the pins that are chosen, and the run is marked as a test", async () => {
    const { world, dialog } = await openTest([pin("/do/0/computeTotals"), pin("/do/2/upsertOrder"), pin("/do/9/gone", false)]);
    await dialog.findByText("2 tasks give their pinned output.");
    expect(dialog.getAllByTestId("pin-use")).toHaveLength(2);
    dialog.getByText(/no such task any more/);
    await userEvent.click(dialog.getAllByTestId("pin-use")[1]!);
    await userEvent.click(dialog.getByTestId("test-start"));
    await waitFor(() => expect(world.tested).toEqual(["/do/0/computeTotals"]));
    expect(world.runs[0]).toMatchObject({ test: true, name: "orders" });
    await waitFor(() => expect(window.location.hash).toBe(`#/runs/${world.runs[0]?.id}`));
  });

  it("shows a pinned output and takes a pin away", async () => {
    const { world, dialog } = await openTest([pin("/do/0/computeTotals")]);
    await userEvent.click(dialog.getByTestId("pin-show"));
    expect((await dialog.findByTestId("pin-output")).textContent).toContain("/do/0/computeTotals");
    await userEvent.click(dialog.getByTestId("pin-remove"));
    await dialog.findByTestId("pins-empty");
    expect(world.pins.get(WORKFLOW)).toEqual([]);
    await dialog.findByText("Every task is executed.");
  });
});
