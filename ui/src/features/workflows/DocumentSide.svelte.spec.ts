import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { emitter } from "../../ipc/fake/emitter";
import { restart } from "../../ipc/fake";
import { documents } from "./documents.svelte";

beforeEach(() => documents.clear());

it("the command for a webhook sends what the workflow takes, quoted for a shell", async () => {
  const world = restart("full");
  world.inputs.set("doc-orders", '{ "order": "it\'s" }');
  await visit("workflows/doc-orders");
  await waitFor(() => expect(screen.getByText(/^curl -X POST .*\/hooks\/orders /).textContent).toContain(`-d '{"order":"it'\\''s"}'`));
});

const INVOICES = "pipeline:\n  namespace: shop\n  name: invoices\n  version: 1.0.0\n  title: Invoices\nwatch:\n  folder: /srv/invoices\n";

/** A second pipeline, on a folder of its own. */
function invoices(deployed: boolean) {
  const world = restart("full");
  world.addDocument("doc-invoices", INVOICES, { deployedVersion: deployed ? "1.0.0" : null, trigger: { kind: "folder", detail: "/srv/invoices/*.csv", nextAt: null } });
  if (deployed) world.feeds.push({ documentId: "doc-invoices", title: "Invoices", folder: "/srv/invoices", pattern: "*.csv", error: null, files: [], sample: null });
  return world;
}

it.each([
  ["its page", "workflows/doc-invoices", "open-watched"],
  ["the list", "workflows", "row-open-invoices"],
  ["Home", "home", "open-invoices"],
])("%s opens the folder that the pipeline watches", async (_, page, button) => {
  const world = invoices(true);
  await visit(page);
  await userEvent.click(await screen.findByTestId(button));
  await waitFor(() => expect(world.opened).toEqual(["/srv/invoices"]));
});

it("a pipeline that is not deployed has no folder to open until it is", async () => {
  const world = invoices(false);
  await visit("workflows/doc-invoices");
  await screen.findByText("Deploy it and its folder is watched.");
  expect(screen.queryByTestId("open-watched")).toBeNull();
  world.feeds.push({ documentId: "doc-invoices", title: "Invoices", folder: "/srv/invoices", pattern: "*.csv", error: null, files: [], sample: null });
  emitter.emit("documentsChanged", { ids: ["doc-invoices"] });
  await screen.findByTestId("open-watched");
});

it("a folder that can't be opened is said with what to do", async () => {
  const world = invoices(true);
  await visit("workflows/doc-invoices");
  const button = await screen.findByTestId("open-watched");
  world.feeds = [];
  await userEvent.click(button);
  await screen.findByText("The folder of Invoices was not opened: no folder is watched for Invoices. Name a folder in watch.folder and deploy the pipeline.");
});
