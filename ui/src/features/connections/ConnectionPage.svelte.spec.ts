import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart, world } from "../../ipc/fake";
import { connections } from "./connections.svelte";

beforeEach(() => {
  connections.clear();
  restart("empty");
});

async function fill(fields: Record<string, string>) {
  for (const [name, value] of Object.entries(fields)) {
    const field = await screen.findByTestId(name);
    await userEvent.clear(field);
    await userEvent.type(field, value);
  }
}

const POSTGRES = { "connection-name": "orders-db", "field-host": "db.internal", "field-database": "orders", "field-user": "app", "connection-secret": "s3cret" };

describe("a new PostgreSQL connection", () => {
  beforeEach(async () => {
    await visit("connections/new?kind=postgres");
    await screen.findByTestId("connection-name");
  });

  it("says what is missing and saves nothing", async () => {
    await userEvent.click(screen.getByTestId("connection-save"));
    expect(screen.getByText("Give it a name.")).toBeDefined();
    expect(screen.getByText("Host is empty.")).toBeDefined();
    expect(world.connections.size).toBe(0);
  });

  it("refuses a port that is none", async () => {
    await fill({ ...POSTGRES, "field-port": "99999" });
    await userEvent.click(screen.getByTestId("connection-save"));
    expect(screen.getByText("Port is at most 65535; it is 99999.")).toBeDefined();
  });

  it("shows each step of a check", async () => {
    await fill(POSTGRES);
    await userEvent.click(screen.getByTestId("connection-check"));
    await screen.findByTestId("check-result");
    expect(screen.getAllByTestId("step").map((step) => step.getAttribute("data-status"))).toEqual(["ok", "ok", "ok", "ok"]);
  });

  it("is saved with its settings in their types and its secret", async () => {
    await fill(POSTGRES);
    await userEvent.click(screen.getByTestId("connection-save"));
    await waitFor(() => expect(window.location.hash).toBe("#/connections"));
    const saved = [...world.connections.values()].find((connection) => connection.name === "orders-db");
    expect(saved).toMatchObject({ kind: "postgres", hasSecret: true, settings: { host: "db.internal", port: 5432, database: "orders", user: "app" } });
  });

  it("asks for the passphrase when there is no keychain, then saves by itself", async () => {
    world.vault = { store: "vault", state: "new", detail: "There is no Secret Service on this computer." };
    await fill(POSTGRES);
    await userEvent.click(screen.getByTestId("connection-save"));
    const dialog = await screen.findByTestId("passphrase-dialog");
    await within(dialog).findByText(/There is no Secret Service/);
    await fill({ passphrase: "short", "passphrase-again": "short" });
    await userEvent.click(screen.getByTestId("passphrase-open"));
    expect(within(dialog).getByText("At least 8 characters; it has 5.")).toBeDefined();
    await fill({ passphrase: "long enough", "passphrase-again": "long enough" });
    await userEvent.click(screen.getByTestId("passphrase-open"));
    await waitFor(() => expect([...world.connections.values()].map((connection) => connection.name)).toContain("orders-db"));
  });
});

it("deleting names who uses it and can be undone", async () => {
  restart("full").connections.delete("con-orders");
  await visit("connections");
  await userEvent.click(await screen.findByTestId("row-delete"));
  const dialog = await screen.findByTestId("delete-connection");
  expect(dialog.textContent).toContain("Orders and Folder to table use this connection.");
  await userEvent.click(within(dialog).getByTestId("connection-delete-confirm"));
  await waitFor(() => expect(world.connections.size).toBe(0));
  await userEvent.click(await screen.findByText("Undo"));
  await waitFor(() => expect(world.connections.size).toBe(1));
});
