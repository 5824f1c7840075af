//! Where a position of a YAML text stands in its tree, read from indentation alone, so that it also works in a
//! text that cannot be parsed yet.

export interface YamlPlace {
  /** Keys from the root; a list item is `[]`. */
  path: string[];
  /** What is typed so far at the position. */
  typed: string;
  /** Offset at which `typed` begins. */
  from: number;
  /** A key is typed, not a value. */
  isKey: boolean;
  /** The keys that the mapping around the position has already. */
  siblings: string[];
  /** For each depth the plain values that stand beside the path: they say which kind of thing it is. */
  beside: Record<string, string>[];
}

const KEY = /^("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#:'"{}[\],&*!|>%@`-][^:#]*?|-?[\w./-]+)\s*:(?=\s|$)/;
const LINES_MAX = 20_000;

interface Line {
  /** Column of the first key or value, after any dashes. */
  indent: number;
  /** Columns of the dashes before it. */
  dashes: number[];
  key: string | null;
}

function read(text: string): Line | null {
  if (/^\s*(#|$)/.test(text)) return null;
  let at = /^\s*/.exec(text)?.[0].length ?? 0;
  const dashes: number[] = [];
  while (/^-(\s|$)/.test(text.slice(at))) {
    dashes.push(at);
    at += 1 + (/^\s*/.exec(text.slice(at + 1))?.[0].length ?? 0);
  }
  const key = KEY.exec(text.slice(at))?.[1] ?? null;
  return { indent: at, dashes, key: key === null ? null : key.replace(/^(["'])(.*)\1$/, "$2") };
}

/** Climbs from the position to the root. */
function ancestors(lines: readonly string[], number: number, indent: number, ownDashes: readonly number[]): { path: string[]; beside: Record<string, string>[] } {
  const path: string[] = [];
  const beside: Record<string, string>[] = [];
  let inner = indent;
  for (const dash of [...ownDashes].reverse()) {
    path.unshift("[]");
    beside.unshift({});
    inner = dash;
  }
  let inList = ownDashes.length > 0;
  for (let at = number - 1; at >= 0 && number - at < LINES_MAX; at -= 1) {
    const line = read(lines[at] ?? "");
    if (!line) continue;
    // A list may stand at the same column as the key that holds it.
    if (line.key !== null && (line.indent < inner || (inList && line.indent === inner && line.dashes.length === 0))) {
      path.unshift(line.key);
      beside.unshift(valuesBeside(lines, at, line.indent));
      inner = line.indent;
      inList = false;
    }
    for (const dash of [...line.dashes].reverse()) {
      if (dash >= inner) continue;
      path.unshift("[]");
      beside.unshift({});
      inner = dash;
      inList = true;
    }
    if (inner === 0 && !inList) break;
  }
  return { path, beside };
}

/** Numbers of the lines that have a key in the same mapping as a line, without that line. */
function siblingLines(lines: readonly string[], number: number, indent: number): number[] {
  const found: number[] = [];
  const look = (step: 1 | -1) => {
    for (let at = number + step; at >= 0 && at < lines.length && Math.abs(at - number) < LINES_MAX; at += step) {
      const line = read(lines[at] ?? "");
      if (!line) continue;
      const opens = line.dashes.length > 0 && line.indent <= indent;
      if (line.indent < indent || (opens && step === 1)) return;
      if (line.indent === indent && line.key !== null) found.push(at);
      if (opens) return;
    }
  };
  if ((read(lines[number] ?? "")?.dashes.length ?? 0) === 0) look(-1);
  look(1);
  return found;
}

function siblingsOf(lines: readonly string[], number: number, indent: number): string[] {
  return siblingLines(lines, number, indent).map((at) => read(lines[at] ?? "")?.key ?? "");
}

/** The plain values in the same mapping as a line. */
function valuesBeside(lines: readonly string[], number: number, indent: number): Record<string, string> {
  const out: Record<string, string> = {};
  for (const at of siblingLines(lines, number, indent)) {
    const text = lines[at] ?? "";
    const key = read(text)?.key;
    const value = text.slice(text.indexOf(":", indent) + 1).trim();
    if (key != null && value !== "") out[key] = value.replace(/^(["'])(.*)\1$/, "$2");
  }
  return out;
}

/** The place of an offset. */
export function yamlPlace(text: string, offset: number): YamlPlace {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  const number = before.split("\n").length - 1;
  const lines = text.split("\n");
  const typedLine = before.slice(start);
  const line = read(typedLine);
  const indent = line?.indent ?? typedLine.length;
  const dashes = line?.dashes ?? [];
  const { path, beside } = ancestors(lines, number, indent, dashes);
  beside.push(valuesBeside(lines, number, indent));
  if (line?.key != null) {
    const colon = typedLine.indexOf(":", indent) + 1;
    const space = /^\s*/.exec(typedLine.slice(colon))?.[0].length ?? 0;
    const typed = typedLine.slice(colon + space);
    return { path: [...path, line.key], typed, from: start + colon + space, isKey: false, siblings: [], beside };
  }
  return { path, typed: typedLine.slice(indent), from: start + indent, isKey: true, siblings: siblingsOf(lines, number, indent), beside };
}
