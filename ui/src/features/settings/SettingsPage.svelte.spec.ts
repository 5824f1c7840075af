import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { emitter } from "../../ipc/fake/emitter";
import { restart, world } from "../../ipc/fake";
import { settings } from "./settings.svelte";

beforeEach(() => {
  settings.clear();
  restart("full");
});

const open = (topic: string) => visit(`settings/${topic}`);

it("the theme changes at once, is kept for the next start, and can be undone", async () => {
  await open("appearance");
  await userEvent.click(await screen.findByTestId("theme-dark"));
  await waitFor(() => expect(document.documentElement.dataset["theme"]).toBe("dark"));
  expect(window.localStorage.getItem("theme")).toBe("dark");
  await userEvent.click(await screen.findByText("Undo"));
  await waitFor(() => expect(world.settings.theme).toBe("system"));
  expect(document.documentElement.dataset["theme"]).toBe("light");
});

it("normal durability is shown as a warning, also at the foot", async () => {
  await open("data");
  await userEvent.click(await screen.findByTestId("durability-normal"));
  await screen.findByText("A power cut may lose the last moments of what was acknowledged.");
  emitter.emit("runtimeStatus", world.runtime);
  await waitFor(() => expect(screen.getByTestId("status-durability").textContent).toContain("normal"));
});

it("a switch shows its steps, can be cancelled only while that is possible, and ends in the new mode", async () => {
  await open("runtime");
  await userEvent.click(await screen.findByLabelText(/Podman/));
  await screen.findByText("Switching to Podman");
  expect(screen.getByTestId("switch-cancel")).toBeDefined();
  const steps = world.switching!.steps.map((step) => ({ ...step, status: "ok" as const }));
  emitter.emit("switchProgress", { ...world.switching!, steps, cancellable: false });
  await waitFor(() => expect(screen.queryByTestId("switch-cancel")).toBeNull());
  world.runtime.mode = "podman";
  emitter.emit("switchProgress", { ...world.switching!, steps, cancellable: false, done: true });
  await screen.findByText("Switched to Podman");
  const card = await screen.findByTestId("container-card");
  await waitFor(() => expect(card.textContent).toContain("no new privileges"));
});

it("a switch that fails says why and where", async () => {
  await open("runtime");
  await userEvent.click(await screen.findByLabelText(/Podman/));
  await screen.findByText("Switching to Podman");
  const error = { code: "MD-605", title: "The container did not start with the required protection", detail: "no-new-privileges is off.", value: null, hint: "Native goes on.", kept: null };
  emitter.emit("switchProgress", { ...world.switching!, cancellable: false, error });
  await screen.findByText("The switch to Podman stopped");
  expect(screen.getByTestId("error-note").textContent).toContain("no-new-privileges is off.");
});

describe("the outbound ledger", () => {
  const rows = () => screen.getAllByTestId("outbound-host").map((row) => [...row.querySelectorAll("[role=cell]")].map((cell) => cell.textContent?.trim()));

  it("is one click from the foot of every page and from the runtime", async () => {
    await visit("home");
    await userEvent.click(await screen.findByTestId("status-outbound"));
    await screen.findAllByTestId("outbound-host");
    await userEvent.click(screen.getByTestId("settings-runtime"));
    await userEvent.click(await screen.findByTestId("open-outbound"));
    await screen.findAllByTestId("outbound-host");
  });

  it("shows each host, its calls, what failed, and who called", async () => {
    await open("outbound");
    await screen.findAllByTestId("outbound-host");
    const [first, second] = rows();
    expect(first?.slice(0, 3)).toEqual(["127.0.0.1:7411", "31,261", "9"]);
    expect(first?.[4]).toBe("Orders");
    expect(second?.slice(0, 3)).toEqual(["figures.example.com:443", "145", "None"]);
    expect(screen.getByText("Every morning").getAttribute("href")).toBe("#/workflows/doc-morning");
  });

  it("finds a host by its name or its caller", async () => {
    await open("outbound");
    await userEvent.type(await screen.findByTestId("outbound-search"), "every-morning");
    await waitFor(() => expect(rows().map((cells) => cells[0])).toEqual(["figures.example.com:443"]));
    await userEvent.type(screen.getByTestId("outbound-search"), "?");
    await userEvent.click(await screen.findByText("Clear the filter"));
    expect(rows()).toHaveLength(2);
  });

  it("follows the agent, and says when nothing was called", async () => {
    restart("empty");
    await open("outbound");
    await screen.findByTestId("outbound-empty");
    world.outbound = [{ host: "late.example:80", calls: 1, failures: 1, lastAt: new Date().toISOString(), callers: ["a connection"] }];
    emitter.emit("runtimeStatus", world.runtime);
    await screen.findByText("late.example:80");
    expect(rows()[0]?.[4]).toBe("a connection");
  });
});

it("what workflows may run on this computer is listed and taken back", async () => {
  world.permissions.set("shop/orders", { digests: ["a", "b"], allowedAt: "2026-11-29T00:00:00Z" });
  world.permissions.set("shop/gone", { digests: ["c"], allowedAt: "2026-11-29T00:00:00Z" });
  await open("scripts");
  await screen.findByText("shop/orders");
  expect(screen.getByText(/^2 programs, allowed/)).toBeDefined();
  expect(screen.getByText(/^1 program, allowed.*There is no such workflow any more/)).toBeDefined();
  await userEvent.click(screen.getAllByTestId("take-back")[0]!);
  await waitFor(() => expect(screen.queryByText("shop/orders")).toBeNull());
  expect([...world.permissions.keys()]).toEqual(["shop/gone"]);
  await userEvent.click(screen.getByTestId("take-back"));
  await screen.findByTestId("host-empty");
});
