//! JSON as lines that can be shown, folded and compared. A line knows its path, so that it can be copied as jq.

export interface JsonPart {
  kind: "key" | "string" | "number" | "word" | "punctuation" | "secret" | "fold";
  text: string;
}

export interface JsonLine {
  indent: number;
  parts: JsonPart[];
  path: string;
  /** The line opens this object or list and can be folded. */
  opens: boolean;
  folded: boolean;
}

const LINES_MAX = 5000;
const STRING_MAX = 2000;
const SECRET = /^(\*{3,}|•{3,}|\[?redacted\]?)$/i;

/** The jq step to a key: `.name` or `["odd key"]`. */
export function step(key: string | number): string {
  if (typeof key === "number") return `[${key}]`;
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

export interface LinesOptions {
  folded?: ReadonlySet<string>;
  /** Paths whose long text is shown whole. */
  whole?: ReadonlySet<string>;
}

/** The lines of a value; `cut` says whether the value has more than can be shown. */
export function jsonLines(value: unknown, options: LinesOptions = {}): { lines: JsonLine[]; cut: boolean } {
  const lines: JsonLine[] = [];
  const writer = new Writer(lines, options);
  writer.write(value, "", null, 0, false);
  return { lines, cut: writer.cut };
}

class Writer {
  cut = false;
  constructor(
    readonly lines: JsonLine[],
    readonly options: LinesOptions,
  ) {}

  write(value: unknown, path: string, key: string | null, indent: number, comma: boolean): void {
    if (this.lines.length >= LINES_MAX) {
      this.cut = true;
      return;
    }
    const head: JsonPart[] = key === null ? [] : [{ kind: "key", text: JSON.stringify(key) }, { kind: "punctuation", text: ": " }];
    if (Array.isArray(value)) this.#nested(value.map((item, index) => [index, item]), "[", "]", { path, head, indent, comma });
    else if (typeof value === "object" && value !== null) this.#nested(Object.entries(value), "{", "}", { path, head, indent, comma });
    else this.#push(indent, [...head, this.#leaf(value, path), ...tail(comma)], path, false, false);
  }

  #nested(entries: [string | number, unknown][], open: string, close: string, at: { path: string; head: JsonPart[]; indent: number; comma: boolean }): void {
    const { path, head, indent, comma } = at;
    if (entries.length === 0) {
      this.#push(indent, [...head, mark(open + close), ...tail(comma)], path, false, false);
      return;
    }
    if (this.options.folded?.has(path)) {
      const what = open === "[" ? "items" : "keys";
      this.#push(indent, [...head, mark(open), { kind: "fold", text: ` ${entries.length} ${what} ` }, mark(close), ...tail(comma)], path, true, true);
      return;
    }
    this.#push(indent, [...head, mark(open)], path, true, false);
    entries.forEach(([key, item], index) => {
      const name = typeof key === "number" ? null : key;
      this.write(item, path + step(key), name, indent + 1, index < entries.length - 1);
    });
    this.#push(indent, [mark(close), ...tail(comma)], path, false, false);
  }

  #leaf(value: unknown, path: string): JsonPart {
    if (typeof value === "string") return this.#string(value, path);
    if (typeof value === "number") return { kind: "number", text: String(value) };
    return { kind: "word", text: String(value) };
  }

  #string(value: string, path: string): JsonPart {
    if (SECRET.test(value)) return { kind: "secret", text: '"••••" redacted' };
    if (value.length <= STRING_MAX || this.options.whole?.has(path)) return { kind: "string", text: JSON.stringify(value) };
    return { kind: "string", text: `${JSON.stringify(value.slice(0, STRING_MAX)).slice(0, -1)}…"` };
  }

  #push(indent: number, parts: JsonPart[], path: string, opens: boolean, folded: boolean): void {
    this.lines.push({ indent, parts, path: path === "" ? "." : path.startsWith("[") ? `.${path}` : path, opens, folded });
  }
}

const mark = (text: string): JsonPart => ({ kind: "punctuation", text });
const tail = (comma: boolean): JsonPart[] => (comma ? [mark(",")] : []);

/** Paths of everything nested deeper than `depth`, to fold at first. */
export function deeper(value: unknown, depth: number): Set<string> {
  const out = new Set<string>();
  const walk = (item: unknown, path: string, at: number) => {
    if (typeof item !== "object" || item === null) return;
    if (at >= depth) {
      out.add(path);
      return;
    }
    for (const [key, child] of Array.isArray(item) ? item.entries() : Object.entries(item)) walk(child, path + step(key), at + 1);
  };
  walk(value, "", 0);
  return out;
}
