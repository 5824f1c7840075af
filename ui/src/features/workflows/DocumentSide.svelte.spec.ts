import { screen, waitFor } from "@testing-library/svelte";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart } from "../../ipc/fake";
import { documents } from "./documents.svelte";

beforeEach(() => documents.clear());

it("the command for a webhook sends what the workflow takes, quoted for a shell", async () => {
  const world = restart("full");
  world.inputs.set("doc-orders", '{ "order": "it\'s" }');
  await visit("workflows/doc-orders");
  await waitFor(() => expect(screen.getByText(/^curl -X POST .*\/hooks\/orders /).textContent).toContain(`-d '{"order":"it'\\''s"}'`));
});
