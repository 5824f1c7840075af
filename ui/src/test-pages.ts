//! Every page of the window before axe, in one scene. A spec for each scene, so that two workers share them.
import axe from "axe-core";
import { waitFor } from "@testing-library/svelte";
import { expect, it } from "vitest";
import { visit } from "./test-visit";

const PAGES = ["home", "workflows", "workflows/doc-orders", "workflows/doc-folder", "runs", "runs/newest", "tasks", "connections", "connections/new", "connections/con-local", "events/dead-letters", "events/log", "help", "help/for", "help/MD-404", "help/MD-999", "doctor", "settings/runtime", "settings/data", "settings/outbound", "settings/appearance", "settings/shortcuts", "settings/about", "nowhere"];

/** Layout is measured in a real browser; here it is names, roles and structure. */
const RULES = { "color-contrast": { enabled: false }, "target-size": { enabled: false }, "scrollable-region-focusable": { enabled: false } };

/** `begin` sets the scene and gives its runs. */
export function axeFindsNothing(begin: () => { runs: { id: string }[] }): void {
  it.each(PAGES)("%s has nothing that axe finds", async (page) => {
    const world = begin();
    const { container } = await visit(page.replace("newest", world.runs[0]?.id ?? "none"));
    await waitFor(() => expect(container.querySelector("main h1")).not.toBeNull());
    await waitFor(() => expect(container.querySelector("main [data-testid=skeleton]")).toBeNull());
    // All rules run; a selector is made of what violates one, not of all that passes.
    const { violations } = await axe.run(document.body, { rules: RULES, resultTypes: ["violations"] });
    expect(violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
  });
}
