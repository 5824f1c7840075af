import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart, world } from "../../ipc/fake";
import { keysPage, palette } from "./palette.svelte";

beforeEach(async () => {
  palette.hide();
  keysPage.hide();
  restart("full");
  await visit("home");
  await screen.findAllByTestId("run-row");
});

const entries = () => screen.queryAllByTestId("palette-entry").map((entry) => entry.textContent?.trim() ?? "");

it("opens by its key, finds actions, documents, connections and runs, and goes there", async () => {
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await screen.findByTestId("palette-input"), "orders");
  await waitFor(() => expect(entries().some((entry) => entry.includes("orders-database"))).toBe(true));
  expect(entries()[0]).toContain("Run Orders");
  await userEvent.keyboard("{ArrowDown}{Enter}");
  await waitFor(() => expect(window.location.hash).toBe("#/workflows/doc-orders"));
  expect(palette.open).toBe(false);
});

it("narrows to actions by >", async () => {
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await screen.findByTestId("palette-input"), ">dark");
  expect(entries()).toEqual(["Use the dark theme"]);
});

it("offers to create what it does not find", async () => {
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await screen.findByTestId("palette-input"), "zzz");
  await waitFor(() => expect(entries()).toEqual(['Create workflow "zzz"']));
});

it("goes by two letters, and not while a person types", async () => {
  await userEvent.keyboard("gw");
  await waitFor(() => expect(window.location.hash).toBe("#/workflows"));
  await userEvent.type(await screen.findByTestId("workflows-filter"), "gr");
  expect(window.location.hash).toBe("#/workflows");
});

it("shows the keys of the page, and single letters can be switched off", async () => {
  await userEvent.keyboard("{Shift>}?{/Shift}");
  expect((await screen.findByTestId("keys-dialog")).textContent).toContain("Go to Workflows");
  keysPage.hide();
  window.location.hash = "#/settings/shortcuts";
  await userEvent.click(await screen.findByTestId("single-keys"));
  await waitFor(() => expect(world.settings.singleKeys).toBe(false));
  await userEvent.keyboard("gw");
  expect(window.location.hash).toBe("#/settings/shortcuts");
});
