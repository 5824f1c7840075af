import { screen, waitFor } from "@testing-library/svelte";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart, world } from "../../ipc/fake";
import { documents } from "$features/workflows/documents.svelte";
import { vault } from "$features/secrets/vault.svelte";
import { connections } from "./connections.svelte";

beforeEach(() => {
  for (const shared of [connections, documents, vault]) shared.clear();
  restart("empty");
});

const says = (words: RegExp) => waitFor(() => expect(document.querySelector("main")?.textContent).toMatch(words));
const PLACES = { connections: /Secrets stay/, "connections/new?kind=postgres": /It is kept/, home: /The password stays/ };

it.each(Object.entries(PLACES))("%s names the keychain where there is one", async (page, words) => {
  await visit(page);
  await says(new RegExp(`${words.source} in the keychain of this computer`));
});

it.each(Object.entries(PLACES))("%s names the file where there is no keychain", async (page, words) => {
  world.vault = { store: "vault", state: "ready", detail: "There is no Secret Service on this computer." };
  await visit(page);
  await says(new RegExp(`${words.source} in a file on this computer that only a passphrase opens`));
  expect(document.querySelector("main")?.textContent).not.toContain("keychain");
  expect(screen.queryByTestId("error-note")).toBeNull();
});
