import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart, world } from "../../ipc/fake";
import { documents } from "./documents.svelte";

beforeEach(async () => {
  documents.clear();
  restart("full");
  await visit("workflows");
  await screen.findAllByTestId("workflow-row");
});

const row = (name: string) => screen.getAllByTestId("workflow-row").find((known) => known.getAttribute("data-name") === name)!;

it("a new workflow comes from a template under its own name", async () => {
  await userEvent.keyboard("n");
  const dialog = await screen.findByTestId("new-dialog");
  const title = await within(dialog).findByTestId("new-title");
  await userEvent.clear(title);
  await userEvent.type(title, "Orders");
  expect(dialog.textContent).toContain("Documents refer to it as orders-2.");
  await userEvent.click(within(dialog).getByTestId("new-create"));
  await waitFor(() => expect([...world.documents.values()].map(({ summary }) => summary.name)).toContain("orders-2"));
});

it("a deleted workflow can be brought back", async () => {
  await userEvent.click(within(row("orders")).getByTestId("row-more"));
  await userEvent.click(await screen.findByTestId("menu-delete"));
  await waitFor(() => expect(world.documents.has("doc-orders")).toBe(false));
  await userEvent.click(await screen.findByText("Undo"));
  await waitFor(() => expect(world.documents.has("doc-orders")).toBe(true));
  await screen.findByText("Orders is back");
});

it("a workflow runs from its row with the last input", async () => {
  await userEvent.click(screen.getByTestId("row-run-orders"));
  await waitFor(() => expect(world.runs[0]).toMatchObject({ name: "orders", startedBy: { kind: "api" } }));
});

it("a workflow with problems is neither run nor deployed", async () => {
  world.document("doc-orders").summary.problems = 2;
  await documents.reload();
  await within(row("orders")).findByText("2 problems");
  expect(screen.getByTestId<HTMLButtonElement>("row-run-orders").disabled).toBe(true);
});
