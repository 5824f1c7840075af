/// <reference types="node" />
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const css = readFileSync(fileURLToPath(new URL("./tokens.css", import.meta.url)), "utf8");

/** The hex tokens of a theme: those of the block, over those of the light one. */
function tokensOf(theme: "light" | "dark"): Record<string, string> {
  const blocks = [...css.matchAll(/([^{}]+)\{([^{}]*)\}/g)];
  const out: Record<string, string> = {};
  for (const [, selector = "", body = ""] of blocks) {
    const isTheme = selector.includes('"light"') || (theme === "dark" && selector.includes('"dark"'));
    if (!isTheme) continue;
    for (const [, name = "", value = ""] of body.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})\b/gi)) out[name] = value;
  }
  return out;
}

function luminance(hex: string): number {
  const parts = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (parts[0] ?? 0) + 0.7152 * (parts[1] ?? 0) + 0.0722 * (parts[2] ?? 0);
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

const STATES = ["pending", "running", "waiting", "suspended", "completed", "faulted", "cancelled", "compensating"];
const LAYERS = ["canvas", "sidebar", "surface", "sunken", "raised", "hover", "selected"];

/** Words are at least 4.5, marks and edges at least 3, on every layer they are used on. */
const WORDS: [string, string][] = [
  ...LAYERS.flatMap((layer) => ["text", "text-2", "text-3"].map((word): [string, string] => [word, layer])),
  ...["text", "text-2"].map((word): [string, string] => [word, "active"]),
  ["text-2", "flame-tint"],
  ["on-flame", "flame"],
  ["on-flame", "flame-hover"],
  ["on-flame", "flame-press"],
  ["flame-text", "raised"],
  ["flame-text", "active"],
  ["link", "surface"],
  ["link", "canvas"],
  ["surface", "text-2"],
  ["surface", "faulted-solid"],
  ...STATES.flatMap((state): [string, string][] => [
    [`${state}-text`, `${state}-tint`],
    [`${state}-text`, "surface"],
    [`${state}-text`, "canvas"],
    [`${state}-text`, "sidebar"],
    ["text-2", `${state}-tint`],
  ]),
  ...["key", "string", "number", "keyword", "comment", "expr", "punct"].flatMap((code): [string, string][] => [
    [`code-${code}`, "surface"],
    [`code-${code}`, "sunken"],
    [`code-${code}`, "hover"],
  ]),
  ["text", "diff-add"],
  ["text", "diff-del"],
];
const MARKS: [string, string][] = [
  ...STATES.map((state): [string, string] => [`${state}-solid`, "surface"]),
  ["control-line", "surface"],
  ["focus", "surface"],
  ["focus", "canvas"],
  ["flame-bright", "surface"],
  ...[1, 2, 3, 4, 5].map((series): [string, string] => [`chart-${series}`, "surface"]),
];

describe.each(["light", "dark"] as const)("the %s theme", (theme) => {
  const tokens = tokensOf(theme);
  const measured = ([front, back]: [string, string]) => {
    const a = tokens[front];
    const b = tokens[back];
    expect(a, `--${front} is a colour`).toBeDefined();
    expect(b, `--${back} is a colour`).toBeDefined();
    return contrast(a as string, b as string);
  };

  it.each(WORDS)("%s can be read on %s", (front, back) => {
    expect(measured([front, back])).toBeGreaterThanOrEqual(4.5);
  });

  it.each(MARKS)("%s can be seen on %s", (front, back) => {
    expect(measured([front, back])).toBeGreaterThanOrEqual(3);
  });
});
