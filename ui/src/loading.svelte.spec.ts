//! A shell that has not answered yet: each page that reads says that it waits, claims nothing, and fills with the answer.
import { screen, waitFor } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { connections } from "$features/connections/connections.svelte";
import { doctor } from "$features/doctor/doctor.svelte";
import { helpPages } from "$features/help/help-pages.svelte";
import { podman } from "$features/runtime/podman.svelte";
import { runtime } from "$features/runtime/runtime.svelte";
import { settings } from "$features/settings/settings.svelte";
import { app } from "$features/shell/app.svelte";
import { tasks } from "$features/tasks/tasks.svelte";
import { documents } from "$features/workflows/documents.svelte";
import { restart, transport } from "./ipc/fake";
import { visit } from "./test-visit";

beforeEach(() => {
  for (const shared of [app, connections, doctor, documents, helpPages, podman, runtime, settings, tasks]) shared.clear();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Answers nothing until the returned function is called, then everything. */
function hold(): () => void {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const answer = transport.call.bind(transport);
  vi.spyOn(transport, "call").mockImplementation(async (command, input) => {
    await held;
    return answer(command, input);
  });
  return release;
}

/** What stands in the page for what is not known; a short wait shows nothing. */
const shapes = () => screen.queryAllByTestId("skeleton").filter((shape) => shape.closest("main"));

/** Each page, and what it shows once it has its answer. */
const PAGES: [string, RegExp][] = [
  ["home", /Recent runs/],
  ["workflows", /Folder to table/],
  ["workflows/doc-orders", /Deployed/],
  ["runs", /runs on this machine/],
  ["runs/some", /Timeline/],
  ["tasks", /for an answer/],
  ["connections", /configured/],
  ["connections/con-local", /Used by/],
  ["events/dead-letters", /wait/],
  ["events/log", /Number/],
  ["help", /Works offline/],
  ["doctor", /checks in/],
  ["settings/runtime", /Loopback only/],
  ["settings/data", /Data folder/],
  ["settings/outbound", /Called by/],
  ["settings/scripts", /allowed|No workflow may run/],
  ["settings/appearance", /Theme/],
  ["settings/shortcuts", /Single-letter keys/],
];

it.each(PAGES)("%s waits in grey shapes, then shows what was answered", async (page, answered) => {
  const world = restart("full");
  const release = hold();
  await visit(page.replace("some", world.runs[0]?.id ?? "none"));
  await waitFor(() => expect(document.querySelector("main h1")).not.toBeNull());
  await waitFor(() => expect(shapes().some((shape) => !shape.classList.contains("opacity-0"))).toBe(true));
  expect(shapes()[0]?.getAttribute("role")).toBe("status");
  expect(screen.queryByTestId("error-note")).toBeNull();
  const claims = [...document.querySelectorAll("main [data-testid$=-empty]")].map((part) => part.getAttribute("data-testid"));
  expect(claims, "it does not say that there is nothing before it knows").toEqual([]);
  const main = document.querySelector("main")!;
  expect(main.textContent).not.toMatch(answered);

  release();
  await waitFor(() => expect(main.textContent).toMatch(answered));
  await waitFor(() => expect(shapes()).toEqual([]));
});
