import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { visit } from "../../test-visit";
import { emitter } from "../../ipc/fake/emitter";
import { restart } from "../../ipc/fake";
import { documents } from "$features/workflows/documents.svelte";

const statuses = () => [...new Set(screen.getAllByTestId("run-row").map((row) => row.getAttribute("data-status")))];

it("draws only the rows in sight of a long list", async () => {
  const world = restart("full");
  await visit("runs");
  const rows = await screen.findAllByTestId("run-row");
  expect(rows.length).toBeGreaterThan(5);
  expect(rows.length).toBeLessThan(60);
  expect(screen.getByTestId("runs-table").getAttribute("aria-rowcount")).toBe(String(world.runs.length));
});

it("filters by state, keeps the filter in the address, and clears it", async () => {
  restart("full");
  await visit("runs");
  await userEvent.click(await screen.findByTestId("filter-faulted"));
  await waitFor(() => expect(statuses()).toEqual(["faulted"]));
  expect(window.location.hash).toBe("#/runs?status=faulted");
  await userEvent.type(screen.getByTestId("runs-filter"), "no such run");
  await userEvent.click(await screen.findByText("Clear the filter"));
  await waitFor(() => expect(statuses().length).toBeGreaterThan(1));
});

it("shows a run that begins, unless the filter excludes it", async () => {
  const world = restart("full");
  await visit("runs?status=faulted");
  await screen.findAllByTestId("run-row");
  const faulted = world.makeRun({ status: "faulted", subject: "ord-wanted" });
  emitter.emit("runsChanged", { runs: [world.makeRun({ status: "running", subject: "ord-other" }), faulted], more: false });
  await screen.findByText("ord-wanted");
  expect(screen.queryByText("ord-other")).toBeNull();
});

it("opens the run that the keys chose", async () => {
  const world = restart("full");
  await visit("runs");
  await screen.findAllByTestId("run-row");
  await userEvent.keyboard("jj{Enter}");
  expect(window.location.hash).toBe(`#/runs/${world.runs[1]?.id}`);
});

it("leaves Enter to the button that has the focus", async () => {
  restart("full");
  await visit("runs");
  await screen.findAllByTestId("run-row");
  await userEvent.keyboard("j");
  screen.getByTestId("filter-faulted").focus();
  await userEvent.keyboard("{Enter}");
  await waitFor(() => expect(window.location.hash).toBe("#/runs?status=faulted"));
});

it("without a run leads to Orders, or where that is gone to the workflows", async () => {
  const world = restart("empty");
  await visit("runs");
  expect((await screen.findByTestId("runs-to-home")).textContent).toContain("Run Orders from Home");
  world.documents.delete("doc-orders");
  await documents.reload();
  await userEvent.click(await screen.findByTestId("runs-to-workflows"));
  expect(window.location.hash).toBe("#/workflows");
});
