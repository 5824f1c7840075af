import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { emitter } from "../../ipc/fake/emitter";
import { restart, world } from "../../ipc/fake";
import { runtime } from "$features/runtime/runtime.svelte";
import { app } from "$features/shell/app.svelte";
import { settings } from "./settings.svelte";

beforeEach(() => {
  for (const shared of [app, runtime, settings]) shared.clear();
  restart("full");
});

/** Moves the agent into its container. */
function toPodman() {
  world.runtime.mode = "podman";
  emitter.emit("runtimeStatus", world.runtime);
}

it("natively the output is a folder that opens as it is", async () => {
  await visit("settings/data");
  expect((await screen.findByTestId("open-output")).textContent?.trim()).toBe("Open");
  await screen.findByText("Output folder");
  await screen.findByText(/^Documents, journals and backups\./);
  await screen.findByTitle("/home/ada/.local/share/mastra/agent/files");
});

it("what a commit takes is said when one was measured, and 0 is none", async () => {
  await visit("settings/data");
  const durability = await screen.findByTestId("status-durability");
  await waitFor(() => expect(durability.textContent?.trim()).toBe("Durability full · fsync 1.9 ms"));
  await screen.findByText("1.9 ms");
  emitter.emit("runtimeStatus", { ...world.runtime, fsyncMs: 0 });
  await screen.findByText("not measured yet");
  expect(durability.textContent?.trim()).toBe("Durability full");
});

it("in Podman it says that the files are in the volume, that a copy is shown, and where that is", async () => {
  await visit("settings/data");
  const button = await screen.findByTestId("open-output");
  toPodman();
  await waitFor(() => expect(button.textContent?.trim()).toBe("Copy out and open"));
  await screen.findByText("Copy of the output folder");
  await screen.findByText(/^file\.write writes into the volume of the container\. Opening copies all of it to this folder, in place of the last copy/);
  await screen.findByText(/^Documents and their backups\. Journals and tables are in the volume of the container: .* free\.$/);
  await screen.findByTitle("/home/ada/.local/share/mastra/output-copy");
  expect(screen.getByTestId("open-inbox").textContent?.trim()).toBe("Open");
});

it("the doctor and the palette say that it is a copy too, and why it can't be had", async () => {
  await visit("doctor");
  await screen.findByLabelText("Open the output folder");
  toPodman();
  const button = await screen.findByLabelText("Copy out and open the output folder");
  await screen.findByText("Output copy");
  Object.assign(world.runtime, { phase: "failed" });
  await userEvent.click(button);
  await screen.findByText(/^The folder could not be opened: flame-agent stopped/);
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await screen.findByTestId("palette-input"), ">output");
  await waitFor(() => expect(screen.getAllByTestId("palette-entry").map((entry) => entry.textContent?.trim())).toEqual(["Copy out and open the output folder"]));
});
