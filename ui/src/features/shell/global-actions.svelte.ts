//! The actions that exist on every page.
import ArrowUpRight from "@lucide/svelte/icons/arrow-up-right";
import CirclePlus from "@lucide/svelte/icons/circle-plus";
import FolderOpen from "@lucide/svelte/icons/folder-open";
import Keyboard from "@lucide/svelte/icons/keyboard";
import Moon from "@lucide/svelte/icons/moon";
import Play from "@lucide/svelte/icons/play";
import Plug from "@lucide/svelte/icons/plug";
import RotateCcw from "@lucide/svelte/icons/rotate-ccw";
import Search from "@lucide/svelte/icons/search";
import Sun from "@lucide/svelte/icons/sun";
import { useActions, type Action } from "$features/actions/actions.svelte";
import { restartAgent } from "$features/runtime/runtime.svelte";
import { runWithLastInput } from "$features/runs/start.svelte";
import { change, settings } from "$features/settings/settings.svelte";
import { workflows } from "$features/workflows/documents.svelte";
import { address, go } from "../../routes/router.svelte";
import { openFolder, openWords, ownFolders } from "./folders.svelte";
import { FOOT, PLACES } from "./nav";
import { keysPage, palette } from "./palette.svelte";

/** Moves the focus to the next of sidebar, page and status bar. */
function nextRegion(): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")];
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const next = regions[(at + 1) % regions.length];
  const first = next?.matches("main") ? next : next?.querySelector<HTMLElement>("a, button");
  first?.focus();
}

function focusFilter(): void {
  document.querySelector<HTMLInputElement>("main [data-filter]")?.focus();
}

function general(): Action[] {
  const dark = document.documentElement.dataset["theme"] === "dark";
  return [
    { id: "palette", label: "Search or run a command", keys: "$mod+k", icon: Search, quiet: true, run: () => palette.show() },
    { id: "keys", label: "Keys of this page", keys: "Shift+?", icon: Keyboard, run: () => keysPage.show() },
    { id: "filter", label: "Filter this page", keys: "/", quiet: true, run: focusFilter },
    { id: "region", label: "Next region", keys: "F6", quiet: true, run: nextRegion },
    { id: "new-workflow", label: "New workflow", icon: CirclePlus, run: () => go(address("workflows") + "?new=1") },
    { id: "new-connection", label: "New connection", icon: Plug, run: () => go(address("connections", "new")) },
    { id: "restart", label: "Restart the agent", icon: RotateCcw, run: () => void restartAgent() },
    {
      id: "theme",
      label: dark ? "Use the light theme" : "Use the dark theme",
      icon: dark ? Sun : Moon,
      disabled: !settings.data,
      run: () => void change({ theme: dark ? "light" : "dark" }, dark ? "Light theme" : "Dark theme"),
    },
    { id: "outbound", label: "Open the outbound ledger", icon: ArrowUpRight, run: () => go(address("settings", "outbound")) },
    ...ownFolders().map((own) => ({ id: `open-${own.folder}`, label: openWords(own), icon: FolderOpen, run: () => void openFolder(own.folder) })),
  ];
}

export function globalActions(): void {
  useActions("Everywhere", general);
  useActions("Go to", () =>
    [...PLACES, ...FOOT].map((place) => ({
      id: `go-${place.id}`,
      label: `Go to ${place.label}`,
      keys: place.keys,
      icon: place.icon,
      run: () => go(address(place.id)),
    })),
  );
  useActions("Run", () =>
    workflows().map((workflow) => ({
      id: `run-${workflow.id}`,
      label: `Run ${workflow.title}`,
      icon: Play,
      detail: "with the last input",
      disabled: workflow.problems > 0,
      run: () => void runWithLastInput(workflow),
    })),
  );
}
