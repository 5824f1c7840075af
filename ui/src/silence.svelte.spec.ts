//! A shell that takes every question and answers none: each page gives up in time and can be tried again.
import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { connections } from "$features/connections/connections.svelte";
import { doctor } from "$features/doctor/doctor.svelte";
import { helpPages } from "$features/help/help-pages.svelte";
import { runtime } from "$features/runtime/runtime.svelte";
import { settings } from "$features/settings/settings.svelte";
import { app } from "$features/shell/app.svelte";
import { tasks } from "$features/tasks/tasks.svelte";
import { documents } from "$features/workflows/documents.svelte";
import { ANSWER_MAX_MS } from "./ipc/answered";
import { restart, transport } from "./ipc/fake";
import { address, visit } from "./test-visit";

beforeEach(() => {
  for (const shared of [app, connections, doctor, documents, helpPages, runtime, settings, tasks]) shared.clear();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const PAGES = ["home", "workflows", "workflows/doc-orders", "runs", "runs/some", "tasks", "connections", "connections/new", "events/dead-letters", "events/log", "doctor", "help", "settings/data", "settings/outbound", "settings/scripts"];

it.each(PAGES)("%s says that no answer came, and shows its content when it is tried again", async (page) => {
  const world = restart("full");
  const silent = vi.spyOn(transport, "call").mockReturnValue(new Promise<never>(() => undefined));
  const place = page.replace("some", world.runs[0]?.id ?? "none");
  await address(`#/${place}`);
  // Intervals stay real, so that waiting for what is shown works.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await visit(place);
  await waitFor(() => expect(document.querySelector("main h1")).not.toBeNull());
  expect(screen.queryByTestId("error-note")).toBeNull();
  // What is read after something else has its own time.
  for (let turn = 0; turn < 3; turn += 1) await vi.advanceTimersByTimeAsync(ANSWER_MAX_MS);
  const notes = await screen.findAllByTestId("error-note");
  for (const note of notes) expect(note.textContent).toContain("No answer came within 60 s.");
  silent.mockRestore();
  vi.useRealTimers();
  for (const button of await screen.findAllByText("Try again")) if (button.isConnected) await userEvent.click(button);
  await waitFor(() => expect(screen.queryByTestId("error-note")).toBeNull());
});

it.each(["home", "settings/data"])("one click on %s brings the frame back too", async (page) => {
  restart("full");
  await address(`#/${page}`);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const silent = vi.spyOn(transport, "call").mockReturnValue(new Promise<never>(() => undefined));
  await visit(page);
  for (let turn = 0; turn < 3; turn += 1) await vi.advanceTimersByTimeAsync(ANSWER_MAX_MS);
  const [button] = await screen.findAllByText("Try again");
  silent.mockRestore();
  vi.useRealTimers();
  await userEvent.click(button!);
  await waitFor(() => expect(screen.getByTestId("runtime-pill").textContent).toContain("Native"));
  await screen.findAllByText("Shop operations");
  await waitFor(() => expect(screen.queryByTestId("error-note")).toBeNull());
});
