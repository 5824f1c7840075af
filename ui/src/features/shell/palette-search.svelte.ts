//! What the palette shows for a text: actions from the window's own list, the rest from the shell's search.
import Activity from "@lucide/svelte/icons/activity";
import CirclePlus from "@lucide/svelte/icons/circle-plus";
import Database from "@lucide/svelte/icons/database";
import FolderInput from "@lucide/svelte/icons/folder-input";
import Workflow from "@lucide/svelte/icons/workflow";
import type { IconKind } from "$components/Icon.svelte";
import { allGroups } from "$features/actions/actions.svelte";
import { commands, type SearchHit, type SearchKind } from "$ipc";
import { address, go } from "../../routes/router.svelte";

export interface Entry {
  id: string;
  label: string;
  icon: IconKind;
  detail?: string | undefined;
  keys?: string | undefined;
  run: () => void;
}

const ACTIONS_MAX = 6;
const HITS_MAX = 12;

const HIT_ICONS: Record<SearchKind, IconKind> = { workflow: Workflow, pipeline: FolderInput, connection: Database, run: Activity };

function open(hit: SearchHit): void {
  const page = hit.kind === "run" ? "runs" : hit.kind === "connection" ? "connections" : "workflows";
  go(address(page, hit.id));
}

export class PaletteSearch {
  text = $state("");
  at = $state(0);
  busy = $state(false);
  #hits = $state.raw<SearchHit[]>([]);
  #asked = 0;

  /** The text without its scope sign. */
  words = $derived(this.text.replace(/^[>#@]/, "").trim());
  scope = $derived({ ">": "Actions", "#": "Runs", "@": "Connections" }[this.text.charAt(0)] ?? "Everything");

  sections = $derived.by(() => {
    const out: { title: string; entries: Entry[] }[] = [];
    if (this.scope === "Everything" || this.scope === "Actions") out.push({ title: "Actions", entries: this.#actions() });
    out.push({ title: "Documents", entries: this.#found(["workflow", "pipeline"]) });
    out.push({ title: "Connections", entries: this.#found(["connection"]) });
    out.push({ title: "Runs", entries: this.#found(["run"]) });
    const shown = out.filter((section) => section.entries.length > 0);
    if (shown.length > 0 || this.words === "" || this.busy) return shown;
    return [{ title: `No match for "${this.words}"`, entries: [this.#create()] }];
  });

  /** Asks the shell for what was typed; an answer to older text is dropped. */
  typed(): void {
    this.at = 0;
    const asked = ++this.#asked;
    if (this.words === "" || this.scope === "Actions") {
      this.#hits = [];
      this.busy = false;
      return;
    }
    this.busy = true;
    void commands
      .search({ text: this.words, limit: HITS_MAX })
      .catch(() => [] as SearchHit[])
      .then((hits) => {
        if (asked !== this.#asked) return;
        this.#hits = hits;
        this.busy = false;
      });
  }

  #actions(): Entry[] {
    const wanted = this.words.toLowerCase();
    const seen = new Set<string>();
    const all = allGroups()
      .flatMap((group) => group.actions)
      .filter((action) => !action.quiet && !action.disabled && action.label.toLowerCase().includes(wanted))
      .filter((action) => !seen.has(action.id) && seen.add(action.id));
    const max = this.scope === "Actions" ? all.length : wanted === "" ? 9 : ACTIONS_MAX;
    return all.slice(0, max).map((action) => ({
      id: action.id,
      label: action.label,
      icon: action.icon ?? Workflow,
      detail: action.detail,
      keys: action.keys,
      run: action.run,
    }));
  }

  #found(kinds: SearchKind[]): Entry[] {
    const scoped = { Runs: "run", Connections: "connection" }[this.scope];
    return this.#hits
      .filter((hit) => kinds.includes(hit.kind) && (!scoped || hit.kind === scoped))
      .map((hit) => ({ id: `${hit.kind}-${hit.id}`, label: hit.title, icon: HIT_ICONS[hit.kind], detail: hit.detail, run: () => open(hit) }));
  }

  #create(): Entry {
    const name = this.words;
    return {
      id: "create",
      label: `Create workflow "${name}"`,
      icon: CirclePlus,
      run: () => go(`${address("workflows")}?new=${encodeURIComponent(name)}`),
    };
  }
}
