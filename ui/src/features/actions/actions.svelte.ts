//! Every action of the window: what it is called, its key, what it does. The palette, the keys page and the
//! keyboard all read this one list, so that none of them can promise what another does not do.
import { untrack } from "svelte";
import { parseKeybinding, matchKeyBindingPress } from "tinykeys";
import type { IconKind } from "$components/Icon.svelte";

export interface Action {
  id: string;
  label: string;
  /** A tinykeys binding such as `$mod+k` or `g h`. */
  keys?: string;
  icon?: IconKind;
  detail?: string;
  /** Not offered in the palette: movement and the like. */
  quiet?: boolean;
  disabled?: boolean;
  run: () => void;
}

export interface ActionGroup {
  title: string;
  actions: () => Action[];
}

const SEQUENCE_MS = 1000;
/** The truth. A page that leaves reads the state as it was before the next page came, so it must not write from it. */
let provided: ActionGroup[] = [];
let groups = $state.raw<ActionGroup[]>([]);
let singleKeys = true;
let pressed: { keys: string; at: number } = { keys: "", at: 0 };

/** Adds a group; newer groups win over older ones for a key. The returned function removes it. */
function provide(group: ActionGroup): () => void {
  groups = provided = [...provided, group];
  return () => {
    groups = provided = provided.filter((known) => known !== group);
  };
}

/** Adds a group while the calling component lives. */
export function useActions(title: string, actions: () => Action[]): void {
  $effect.pre(() => untrack(() => provide({ title, actions })));
}

export function allGroups(): { title: string; actions: Action[] }[] {
  return groups.map((group) => ({ title: group.title, actions: group.actions() })).reverse();
}

/** Single-letter keys can be switched off in Settings. */
export function setSingleKeys(on: boolean): void {
  singleKeys = on;
}

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.shadowRoot !== null) return true;
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || isTextInput(target);
}

function isTextInput(target: HTMLElement): boolean {
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button"].includes(target.type);
}

/** Enter does what the button or link says that has the focus. */
function activates(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("a[href], button, summary, [role=menuitem]") !== null;
}

/** Works also while a person types: no text comes from it. */
const isModified = (keys: string) => keys.includes("$mod+") || /(^|\+)F\d+$/.test(keys);

function hits(event: KeyboardEvent, keys: string): "whole" | "part" | "none" {
  const presses = parseKeybinding(keys);
  const last = presses[presses.length - 1];
  const first = presses[0];
  if (!first || !last) return "none";
  if (presses.length === 1) return matchKeyBindingPress(event, first) ? "whole" : "none";
  const fresh = Date.now() - pressed.at < SEQUENCE_MS && pressed.keys === keys.split(" ")[0];
  if (fresh && matchKeyBindingPress(event, last)) return "whole";
  return matchKeyBindingPress(event, first) ? "part" : "none";
}

function wanted(action: Action, event: KeyboardEvent): boolean {
  if (!action.keys || action.disabled) return false;
  if (isModified(action.keys)) return true;
  if (typing(event.target) || (action.keys === "Enter" && activates(event.target))) return false;
  return singleKeys || /Arrow|Enter|Escape/.test(action.keys) || action.keys === "Shift+?";
}

/** Runs the action of a key press; gives whether there was one. */
export function onKey(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.isComposing) return false;
  if (document.querySelector("dialog[open]") !== null) return false;
  let part: string | null = null;
  for (const group of allGroups()) {
    for (const action of group.actions) {
      if (!action.keys || !wanted(action, event)) continue;
      const hit = hits(event, action.keys);
      if (hit === "part") part = action.keys.split(" ")[0] ?? null;
      if (hit !== "whole") continue;
      pressed = { keys: "", at: 0 };
      event.preventDefault();
      action.run();
      return true;
    }
  }
  pressed = part ? { keys: part, at: Date.now() } : { keys: "", at: 0 };
  return false;
}
