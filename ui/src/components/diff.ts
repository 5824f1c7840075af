//! The lines of two texts side by side: what went and what came. Longest common subsequence, bounded.

export interface DiffLine {
  sign: "+" | "-" | " ";
  text: string;
}

const CELLS_MAX = 4_000_000;

/** Lines only in `before` with `-`, only in `after` with `+`, in both with a space. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const same = (text: string): DiffLine => ({ sign: " ", text });
  return [
    ...a.slice(0, head).map(same),
    ...changed(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map(same),
  ];
}

function changed(a: string[], b: string[]): DiffLine[] {
  const gone = (text: string): DiffLine => ({ sign: "-", text });
  const came = (text: string): DiffLine => ({ sign: "+", text });
  if (a.length * b.length > CELLS_MAX) return [...a.map(gone), ...b.map(came)];
  const lengths = table(a, b);
  const out: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      out.push({ sign: " ", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if ((lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0)) out.push(gone(a[i++] ?? ""));
    else out.push(came(b[j++] ?? ""));
  }
  return [...out, ...a.slice(i).map(gone), ...b.slice(j).map(came)];
}

/** `table[i][j]` is the length of the longest common subsequence of `a[i..]` and `b[j..]`. */
function table(a: string[], b: string[]): Uint32Array[] {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const row = rows[i] as Uint32Array;
      const below = rows[i + 1] as Uint32Array;
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return rows;
}
