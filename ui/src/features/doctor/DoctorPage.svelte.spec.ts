import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { visit } from "../../test-visit";
import { restart, transport, world } from "../../ipc/fake";
import { emitter } from "../../ipc/fake/emitter";
import { runtime } from "$features/runtime/runtime.svelte";
import { app } from "$features/shell/app.svelte";
import { doctor } from "./doctor.svelte";

beforeEach(() => {
  for (const shared of [app, doctor, runtime]) shared.clear();
  restart("full");
});

afterEach(() => {
  vi.restoreAllMocks();
});

it("the report is copied by a button that says so", async () => {
  const user = userEvent.setup();
  await visit("doctor");
  const button = await screen.findByTestId("doctor-copy");
  expect(button.textContent?.trim()).toBe("Copy report");
  await user.click(button);
  expect(button.textContent?.trim()).toBe("Copied");
  const report = await navigator.clipboard.readText();
  expect(report).toContain("WARNING  MD-602 Containers stop when you log out: Lingering is off");
  expect(report.split("\n")).toHaveLength(10);
});

it("what is no fault and is not there is optional, with its words and its command", async () => {
  await visit("doctor");
  const card = within(await screen.findByTestId("optional"));
  expect(card.getByLabelText("Optional")).toBeTruthy();
  expect(card.getByText("Not installed; native mode does not need it, tasks with containers do")).toBeTruthy();
  expect(card.getByText("sudo apt-get install --yes podman")).toBeTruthy();
  expect(screen.getByText(/7 are fine, 2 can be repaired, 1 is optional\./)).toBeTruthy();
});

it("looks again when the agent has come or gone, and not while it is on its way", async () => {
  await visit("doctor");
  await screen.findByTestId("doctor-copy");
  await waitFor(() => expect(doctor.busy).toBe(false));
  const asked = vi.spyOn(transport, "call");
  const checks = () => asked.mock.calls.filter(([command]) => command === "doctor_check").length;
  emitter.emit("runtimeStatus", { ...world.runtime, phase: "starting" });
  await screen.findByText("Starting");
  expect(checks()).toBe(0);
  emitter.emit("runtimeStatus", { ...world.runtime, phase: "failed" });
  await waitFor(() => expect(checks()).toBe(1));
  emitter.emit("runtimeStatus", { ...world.runtime, phase: "ready" });
  await waitFor(() => expect(checks()).toBe(2));
});

it("while the workspace is shut its folders are there, but for the output", async () => {
  const answer = transport.call.bind(transport);
  const asked = vi.spyOn(transport, "call").mockImplementation(async (command, input) => {
    if (command === "runtime_status") throw { code: "MD-302", title: "The database file is damaged", detail: "", value: null, hint: null, kept: null };
    const answered = await answer(command, input);
    return command === "app_info" ? { ...(answered as object), workspaceName: null, outputFolder: null } : answered;
  });
  await visit("doctor");
  const card = within(await screen.findByTestId("folders-card"));
  await card.findByText("Backups");
  expect(card.getAllByRole("button").map((button) => button.dataset["testid"])).toEqual(["open-data", "open-inbox", "open-backups", "open-logs"]);
  expect(card.getByText("Data").title).toBe("Documents and their backups.");
  await userEvent.click(card.getByTestId("open-backups"));
  expect(asked).toHaveBeenCalledWith("open_folder", { folder: "backups" });
});
