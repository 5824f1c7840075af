import { cleanup, screen, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { emitter } from "../../ipc/fake/emitter";
import { restart } from "../../ipc/fake";
import { connections } from "$features/connections/connections.svelte";
import { doctor } from "$features/doctor/doctor.svelte";
import { runtime } from "$features/runtime/runtime.svelte";
import { documents } from "$features/workflows/documents.svelte";

beforeEach(() => {
  for (const shared of [connections, doctor, runtime, documents]) shared.clear();
});

describe("Home", () => {
  it("teaches with one click when nothing has run", async () => {
    const world = restart("empty");
    await visit("home");
    await userEvent.click(await screen.findByTestId("run-orders"));
    expect(world.runs).toHaveLength(1);
    expect(world.runs[0]).toMatchObject({ name: "orders", subject: "ord-20434" });
    expect(window.location.hash).toBe(`#/runs/${world.runs[0]?.id}`);
    expect((await screen.findByTestId("run-title")).textContent).toContain("Orders · ord-20434");
  });

  it("shows figures, what needs a person, and the newest runs", async () => {
    const world = restart("full");
    await visit("home");
    const rows = await screen.findAllByTestId("run-row");
    expect(rows).toHaveLength(10);
    expect(rows[0]?.getAttribute("data-run")).toBe(world.runs[0]?.id);
    const attention = await screen.findByTestId("attention");
    await within(attention).findByText(/Orders runs faulted at Reserve stock/);
    await within(attention).findByText("12 dead letters wait");
    await screen.findByText("2 % of 4 cores");
    await screen.findByText("38 MB of 17 GB");
    const tiles = await screen.findByTestId("tiles");
    expect(tiles.querySelectorAll("dd svg polyline"), "each figure has its shape").toHaveLength(4);
    await within(attention).findByText("orders-database fails its check");
  });

  it("puts a run that begins in front, and its end into the row", async () => {
    const world = restart("full");
    await visit("home");
    await screen.findAllByTestId("run-row");
    const run = world.makeRun({ status: "running", subject: "ord-new" });
    emitter.emit("runsChanged", { runs: [run], more: false });
    await screen.findByText("ord-new");
    expect(screen.getAllByTestId("run-row")[0]?.getAttribute("data-status")).toBe("running");
    emitter.emit("runsChanged", { runs: [{ ...run, status: "completed", endedAt: run.createdAt, durationMs: 7 }], more: false });
    await screen.findByText("7 ms");
    expect(screen.getAllByTestId("run-row")[0]?.getAttribute("data-status")).toBe("completed");
  });

  it("starts one run for ten clicks", async () => {
    const world = restart("full");
    const before = world.runs.length;
    await visit("home");
    const button = await screen.findByTestId("play-orders");
    for (let click = 0; click < 10; click += 1) button.click();
    await screen.findByText(/Orders runs: ord-20434/);
    expect(world.runs.length).toBe(before + 1);
  });

  it("says that the agent is away, what is safe, and restarts it", async () => {
    restart("down");
    await visit("home");
    const note = await screen.findByTestId("agent-down");
    expect(note.textContent).toContain("Your workflows are safe on disk.");
    expect((await screen.findByTestId("runtime-pill")).textContent).toContain("Agent stopped");
    await userEvent.click(screen.getByTestId("restart-agent"));
    await screen.findAllByTestId("run-row");
    expect(screen.queryByTestId("agent-down")).toBeNull();
    expect(screen.getByTestId("runtime-pill").textContent).toContain("Native");
  });

  it("leads to the doctor where no restart helps", async () => {
    const world = restart("down");
    world.runtime.error = { ...world.runtime.error!, code: "MD-302", title: "The database file is damaged" };
    await visit("home");
    await userEvent.click(await screen.findByTestId("agent-repair"));
    expect(window.location.hash).toBe("#/doctor");
  });

  // The last one: its reads never end.
  it("waits in the shape that it had, so that nothing flashes", async () => {
    restart("full");
    await visit("home");
    await screen.findAllByTestId("run-row");
    cleanup();
    restart("slow");
    await visit("home");
    await screen.findByTestId("tiles");
    expect(screen.getByTestId("recent-runs")).toBeDefined();
    cleanup();

    window.localStorage.clear();
    await visit("home");
    await screen.findByRole("heading", { name: "Home" });
    expect(screen.queryByTestId("tiles"), "nothing has run here, as far as is known").toBeNull();
    expect(screen.queryByTestId("home-empty"), "but it is not said before it is known").toBeNull();
  });
});
