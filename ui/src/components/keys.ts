//! Names of keys: from a binding ("$mod+k", "g h") to what a person reads on the cap.

const NAMES: Record<string, string> = {
  Enter: "Enter",
  Escape: "Esc",
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Shift: "Shift",
  Alt: "Alt",
};

const isMac = typeof navigator !== "undefined" && /Mac/.test(navigator.platform);

function cap(part: string): string {
  if (part === "$mod") return isMac ? "⌘" : "Ctrl";
  const named = NAMES[part];
  if (named) return named;
  return part.length === 1 ? part.toUpperCase() : part;
}

/** The caps of a binding, one for each press, in order. */
export function keyCaps(binding: string): string[] {
  return binding
    .replace("Shift+?", "?")
    .split(" ")
    // The plus sign is a key too, and nobody thinks of the Shift below it.
    .map((press) => (press === "Shift++" ? "+" : press.split("+").map(cap).join(" ")));
}

/** The binding in words, for `aria-keyshortcuts`. */
export function ariaKeys(binding: string): string {
  return binding.replaceAll("$mod", isMac ? "Meta" : "Control");
}
