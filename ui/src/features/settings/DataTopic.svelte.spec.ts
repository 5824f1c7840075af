import { screen, waitFor } from "@testing-library/svelte";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { emitter } from "../../ipc/fake/emitter";
import { restart, world } from "../../ipc/fake";
import { settings } from "./settings.svelte";

beforeEach(() => {
  settings.clear();
  restart("full");
});

it("says that the output is in the container, and offers a copy of it, while the agent runs in Podman", async () => {
  await visit("settings/data");
  const button = await screen.findByTestId("open-output");
  expect(button.textContent?.trim()).toBe("Open");
  world.runtime.mode = "podman";
  emitter.emit("runtimeStatus", world.runtime);
  await waitFor(() => expect(button.textContent?.trim()).toBe("Copy out and open"));
  await screen.findByText(/is in the container/);
  expect(screen.getByTestId("open-inbox").textContent?.trim()).toBe("Open");
});
