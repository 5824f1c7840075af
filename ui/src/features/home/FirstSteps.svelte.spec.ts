import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { emitter } from "../../ipc/fake/emitter";
import { restart, world } from "../../ipc/fake";
import { connections } from "$features/connections/connections.svelte";
import { runtime } from "$features/runtime/runtime.svelte";
import { settings } from "$features/settings/settings.svelte";
import { documents } from "$features/workflows/documents.svelte";
import type { FeedFile, FeedState } from "$ipc";

beforeEach(() => {
  for (const shared of [connections, documents, runtime, settings]) shared.clear();
  restart("empty");
});

/** Which steps are there, and whether each is done. */
const steps = () => Object.fromEntries(screen.getAllByTestId("first-step").map((step) => [step.dataset["step"], step.dataset["done"] === "true"]));
const says = (expected: Record<string, boolean>) => waitFor(() => expect(steps()).toEqual(expected));
const NONE = { run: false, look: false, drop: false, connect: false };

const file = (state: FeedState): FeedFile => ({ file: "a.csv", state, bytes: 10, bytesDone: 5, rows: 1, rowsDead: 0, updatedAt: new Date().toISOString(), error: null });

async function feed(state: FeedState) {
  world.feeds[0]!.files = [file(state)];
  emitter.emit("feedProgress", { documentId: "doc-folder", file: file(state) });
}

it("nothing is done where nothing was done", async () => {
  await visit("home");
  await screen.findByTestId("first-steps");
  await says(NONE);
});

it("a run of Orders and a look at it are done once they happened", async () => {
  await visit("home");
  await userEvent.click(await screen.findByTestId("run-orders"));
  await screen.findByTestId("run-title");
  await userEvent.click(screen.getByTestId("nav-home"));
  await says({ ...NONE, run: true, look: true });
});

describe("the file for the pipeline", () => {
  it("names the columns that it needs and the file that has them, while both are known", async () => {
    await visit("home");
    const sample = await screen.findByTestId("sample-file");
    expect(sample.textContent).toContain("It needs the columns id, name, email, city and spent.");
    expect(sample.textContent).toContain("/home/ada/.local/share/mastra/samples/customers.csv");
    world.feeds[0]!.sample = null;
    emitter.emit("documentsChanged", { ids: ["doc-folder"] });
    await waitFor(() => expect(screen.queryByTestId("sample-file")).toBeNull());
  });

  it("stands on the page of the pipeline too, until a file came", async () => {
    await visit("workflows/doc-folder");
    await screen.findByTestId("sample-file");
    await feed("settling");
    await waitFor(() => expect(screen.queryByTestId("sample-file")).toBeNull());
  });

  it("is done once one was read to its end, not before", async () => {
    await visit("home");
    await screen.findByTestId("first-steps");
    for (const state of ["settling", "reading", "failed"] as const) {
      await feed(state);
      await waitFor(() => expect(screen.getByTestId("feeds-card").querySelector("[data-state]")?.getAttribute("data-state")).toBe(state));
      expect(steps()).toEqual(NONE);
    }
    await feed("done");
    await says({ ...NONE, drop: true });
  });

  it("stays done when the file is gone from the folder", async () => {
    world.document("doc-folder").summary.lastRuns = [{ id: "1", status: "completed", startedAt: null, durationMs: null }];
    await visit("home");
    await screen.findByTestId("first-steps");
    await says({ ...NONE, drop: true });
  });
});

it.each([
  ["sqlite", "healthy", true],
  ["sqlite", "unchecked", true],
  ["postgres", "healthy", true],
  ["postgres", "failing", false],
] as const)("a connection to %s that is %s: done is %s", async (kind, state, done) => {
  world.connections.set("con", { id: "con", name: "own", kind, place: "own", settings: {}, revision: 1, hasSecret: false, state, checkedAt: null, latencyMs: null, error: null, usedBy: [] });
  await visit("home");
  await screen.findByTestId("first-steps");
  await says({ ...NONE, connect: done });
});

it("a sample that was deleted has no step", async () => {
  world.documents.delete("doc-orders");
  await visit("home");
  await screen.findByTestId("first-steps");
  await says({ drop: false, connect: false });
});
