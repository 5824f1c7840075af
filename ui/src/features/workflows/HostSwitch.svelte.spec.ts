import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart, type world as worlds } from "../../ipc/fake";
import { emitter } from "../../ipc/fake/emitter";
import { documents } from "./documents.svelte";

const TEXT = `document: {dsl: "1.0.3", namespace: test, name: greet, version: 1.0.0, title: Greet}
do:
  - greet: {run: {shell: {command: "echo hello"}}}
  - count: {run: {script: {language: python, code: "print(1)"}}}
`;
let world: typeof worlds;

beforeEach(() => {
  documents.clear();
  world = restart("full");
  world.addDocument("doc-greet", TEXT, {});
});

const open = async (id = "doc-greet") => {
  await visit(`workflows/${id}`);
  await screen.findByTestId("document-title");
};
const flip = async () => userEvent.click(await screen.findByTestId("host-switch"));
const isOn = () => screen.getByTestId("host-switch").getAttribute("aria-checked");

describe("the commands of a workflow", () => {
  it("may run on this computer once a person has read them", async () => {
    await open();
    await flip();
    const dialog = await screen.findByTestId("allow-host");
    expect(within(dialog).getByRole("heading", { level: 2 }).textContent).toBe("Run the commands of Greet on this computer?");
    expect(dialog.textContent).toContain("may run on this computer, as you, without a container");
    expect(dialog.textContent).toContain("test/greet would run 2 programs");
    const programs = within(dialog).getAllByTestId("host-program").map((program) => program.textContent);
    expect(programs[0]).toMatch(/Greet.*Shell command.*echo hello.*environment: \{"LANG":"C"\}/s);
    expect(programs[1]).toMatch(/Count.*Python script.*print\(1\)/s);
    expect(isOn()).toBe("false");
    await userEvent.click(within(dialog).getByTestId("allow-host-confirm"));
    await waitFor(() => expect(isOn()).toBe("true"));
    expect(world.permissions.get("test/greet")?.digests).toEqual(["greet:echo hello", "count:print(1)"]);
    expect(screen.queryByTestId("allow-host")).toBeNull();
  });

  it("stay off when the person thinks again", async () => {
    await open();
    await flip();
    await userEvent.click(within(await screen.findByTestId("allow-host")).getByText("Keep it off"));
    expect(world.permissions.size).toBe(0);
    expect(isOn()).toBe("false");
  });

  it("are taken back at once, without a question", async () => {
    world.permissions.set("test/greet", { digests: ["greet:echo hello", "count:print(1)"], allowedAt: "2026-11-29T00:00:00Z" });
    await open();
    await waitFor(() => expect(isOn()).toBe("true"));
    await flip();
    await waitFor(() => expect(isOn()).toBe("false"));
    expect(world.permissions.size).toBe(0);
  });

  it("that were changed are asked about anew, and the new ones are marked", async () => {
    world.permissions.set("test/greet", { digests: ["greet:echo hello"], allowedAt: "2026-11-29T00:00:00Z" });
    await open();
    await screen.findByTestId("host-changed");
    expect(isOn()).toBe("false");
    await flip();
    const programs = within(await screen.findByTestId("allow-host")).getAllByTestId("host-program");
    expect(programs.map((program) => program.textContent?.includes("new or changed"))).toEqual([false, true]);
  });

  it("that change under the open dialog are not allowed", async () => {
    await open();
    await flip();
    const dialog = await screen.findByTestId("allow-host");
    const stored = world.document("doc-greet");
    stored.text = TEXT.replace("echo hello", "echo other");
    stored.summary.revision += 1;
    emitter.emit("documentsChanged", { ids: ["doc-greet"] });
    await within(dialog).findByText("It was changed meanwhile");
    expect(within(dialog).getByTestId<HTMLButtonElement>("allow-host-confirm").disabled).toBe(true);
    expect(dialog.textContent).toContain("echo hello");
    expect(world.permissions.size).toBe(0);
  });

  it("are out of reach of an agent in Podman, and the switch says so", async () => {
    world.runtime.mode = "podman";
    await open();
    emitter.emit("runtimeStatus", world.runtime);
    await screen.findByText(/The agent is in Podman now/);
  });
});

it("a workflow without any has no switch", async () => {
  await open("doc-orders");
  await screen.findByText("History");
  expect(screen.queryByTestId("host-section")).toBeNull();
});

it("a run that faulted because they are off leads to the switch", async () => {
  const error = { type: "https://serverlessworkflow.io/spec/1.0.0/errors/configuration", code: "MD-407", status: 400, title: "Scripts and shell commands are off", detail: "MD-407: shell commands of test/greet may not run on this machine", instance: "/do/0/greet" };
  const run = world.makeRun({ namespace: "test", name: "greet", title: "Greet", status: "faulted", error, endedAt: new Date().toISOString() });
  world.runs.unshift(run);
  await documents.reload();
  await visit(`runs/${run.id}`);
  const note = await screen.findByTestId("fault-note");
  expect(note.textContent).toContain("Shell commands of test/greet may not run on this machine");
  await userEvent.click(within(note).getByText("Allow on this computer"));
  await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("host-switch")));
  expect(window.location.hash).toBe("#/workflows/doc-greet");
});
