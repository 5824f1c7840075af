import axe from "axe-core";
import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { visit } from "./test-visit";
import { restart } from "./ipc/fake";
import type { Scene } from "./ipc/fake/emitter";

const PAGES = ["home", "workflows", "workflows/doc-orders", "workflows/doc-folder", "runs", "runs/newest", "tasks", "connections", "connections/new", "connections/con-local", "events/dead-letters", "events/log", "help", "help/for", "help/MD-404", "help/MD-999", "doctor", "settings/runtime", "settings/data", "settings/outbound", "settings/appearance", "settings/shortcuts", "settings/about", "nowhere"];

/** Layout is measured in a real browser; here it is names, roles and structure. */
const RULES = { "color-contrast": { enabled: false }, "target-size": { enabled: false }, "scrollable-region-focusable": { enabled: false } };

describe.each<Scene>(["full", "empty", "down"])("with the scene %s", (scene) => {
  it.each(PAGES)("%s has nothing that axe finds", async (page) => {
    const world = restart(scene);
    const { container } = await visit(page.replace("newest", world.runs[0]?.id ?? "none"));
    await waitFor(() => expect(container.querySelector("main h1")).not.toBeNull());
    await waitFor(() => expect(container.querySelector("main [data-testid=skeleton]")).toBeNull());
    const { violations } = await axe.run(document.body, { rules: RULES });
    expect(violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
  });
});
