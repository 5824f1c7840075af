import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart, world } from "../../ipc/fake";
import { documents } from "$features/workflows/documents.svelte";

beforeEach(() => {
  documents.clear();
  restart("full");
});

const article = () => screen.findByTestId("help-article");
const links = () => screen.getAllByTestId("help-link").map((link) => link.dataset["help"]);

it("an address opens its page, a task's or an error code's", async () => {
  await visit("help/for");
  expect((await article()).textContent).toContain("runs its tasks once for each item");
  window.location.hash = "#/help/MD-404";
  await waitFor(async () => expect((await article()).dataset["page"]).toBe("MD-404"));
  expect(screen.getByText("What to do")).toBeDefined();
  expect(screen.queryByTestId("help-example")).toBeNull();
});

it("an address without a page says so and leads to one that is there", async () => {
  await visit("help/MD-999");
  await screen.findByText("There is no help page MD-999.");
  await userEvent.click(screen.getByText("Open the first page"));
  expect((await article()).dataset["page"]).toBe("set");
});

it("the search finds names and texts", async () => {
  await visit("help");
  await article();
  await userEvent.type(screen.getByTestId("help-search"), "disk is full");
  await waitFor(() => expect(links()[0]).toBe("MD-301"));
  await userEvent.clear(screen.getByTestId("help-search"));
  await userEvent.type(screen.getByTestId("help-search"), "several at once");
  await waitFor(() => expect(links()).toContain("for"));
  await userEvent.type(screen.getByTestId("help-search"), " zzz");
  await screen.findByText('No page has "several at once zzz".');
});

it("F1 opens it from anywhere, and j and k read on", async () => {
  await visit("runs");
  await userEvent.keyboard("{F1}");
  expect((await article()).dataset["page"]).toBe("set");
  await userEvent.keyboard("j");
  await waitFor(async () => expect((await article()).dataset["page"]).toBe("do"));
  await userEvent.keyboard("k");
  await waitFor(async () => expect((await article()).dataset["page"]).toBe("set"));
});

it("an example becomes a workflow of its own and opens in the editor, each time under a free name", async () => {
  for (const name of ["example-of-for", "example-of-for-2"]) {
    const { unmount } = await visit("help/for");
    await userEvent.click(await screen.findByTestId("help-example"));
    await waitFor(() => expect(window.location.hash).toMatch(/^#\/workflows\//));
    const id = window.location.hash.split("/")[2] ?? "";
    const { text } = world.document(id);
    expect(text).toContain(`namespace: help, name: ${name}, version: 1.0.0, title: "Example of for" }`);
    expect(text).toContain("for: { each: line, in: '${ .lines }' }");
    unmount();
  }
});
