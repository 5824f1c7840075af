//! Names of documents: from a title to the name that the specification takes, and into a template's text.

const NAME_MAX = 63;

/** Letters, digits and inner hyphens, at most 63: "Every morning!" is `every-morning`. */
export function nameOf(title: string): string {
  return title
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, NAME_MAX)
    .replace(/^-+|-+$/g, "");
}

/** The name, or the name with the lowest free number from 2. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number += 1) {
    const numbered = `${name.slice(0, NAME_MAX - 4)}-${number}`;
    if (!taken.has(numbered)) return numbered;
  }
}

/** The text with the name and title of its `document` or `pipeline` set; everything else stays, comments too. */
export function renamed(text: string, name: string, title: string): string {
  const inline = /^(?:document|pipeline):\s*\{.*\}\s*$/m.exec(text)?.[0];
  if (inline !== undefined) return text.replace(inline, () => renamedInline(inline, name, title));
  const lines = text.split("\n");
  const head = lines.findIndex((line) => /^(document|pipeline):\s*$/.test(line));
  if (head < 0) return text;
  let end = head + 1;
  while (end < lines.length && /^(\s|#|$)/.test(lines[end] ?? "")) end += 1;
  const block = lines.slice(head + 1, end);
  const indent = /^(\s+)\S/.exec(block.find((line) => line.trim() !== "" && !line.trim().startsWith("#")) ?? "  x")?.[1] ?? "  ";
  put(block, indent, "name", name);
  put(block, indent, "title", JSON.stringify(title));
  return [...lines.slice(0, head + 1), ...block, ...lines.slice(end)].join("\n");
}

/** The same for `document: { name: a, title: A }` on one line. */
function renamedInline(line: string, name: string, title: string): string {
  const named = line.replace(/([{,]\s*name:\s*)[^,}]+/, (_, key: string) => `${key}${name}`).replace(/,\s*title:\s*("(?:[^"\\]|\\.)*"|[^,}]+)/, "");
  return named.replace(/\s*\}\s*$/, () => `, title: ${JSON.stringify(title)} }`);
}

function put(block: string[], indent: string, key: string, value: string): void {
  const line = `${indent}${key}: ${value}`;
  const at = block.findIndex((known) => known.startsWith(`${indent}${key}:`));
  if (at >= 0) block[at] = line;
  else block.splice(block.findLastIndex((known) => known.startsWith(indent) && !/^\s/.test(known.slice(indent.length))) + 1, 0, line);
}
