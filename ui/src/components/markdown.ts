//! The small part of Markdown that help pages use: headings, paragraphs, lists, code. No HTML passes.

export type Inline = { kind: "text" | "code" | "strong"; text: string };

export type Block =
  | { kind: "heading"; level: number; inlines: Inline[] }
  | { kind: "paragraph"; inlines: Inline[] }
  | { kind: "list"; ordered: boolean; items: Inline[][] }
  /** `language` is what stands behind the fence; empty where nothing does. */
  | { kind: "code"; language: string; text: string };

export function inlines(text: string): Inline[] {
  const out: Inline[] = [];
  for (const part of text.split(/(`[^`]+`|\*\*[^*]+\*\*)/)) {
    if (part === "") continue;
    if (part.startsWith("`")) out.push({ kind: "code", text: part.slice(1, -1) });
    else if (part.startsWith("**")) out.push({ kind: "strong", text: part.slice(2, -2) });
    else out.push({ kind: "text", text: part.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1") });
  }
  return out;
}

const ITEM = /^\s*(?:[-*]|(\d+)\.)\s+(.*)$/;

export function blocks(markdown: string): Block[] {
  const out: Block[] = [];
  const lines = markdown.split("\n");
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length > 0) out.push({ kind: "paragraph", inlines: inlines(paragraph.join(" ")) });
    paragraph = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const heading = /^(#{1,4})\s+(.*)$/.exec(line);
    const item = ITEM.exec(line);
    if (line.startsWith("```")) {
      flush();
      const end = lines.indexOf("```", at + 1);
      const until = end < 0 ? lines.length : end;
      out.push({ kind: "code", language: line.slice(3).trim(), text: lines.slice(at + 1, until).join("\n") });
      at = until;
    } else if (heading) {
      flush();
      out.push({ kind: "heading", level: heading[1]?.length ?? 1, inlines: inlines(heading[2] ?? "") });
    } else if (item) {
      flush();
      addItem(out, item[1] !== undefined, item[2] ?? "");
    } else if (line.trim() === "") {
      flush();
    } else if (/^\s{2,}/.test(line) && paragraph.length === 0 && out.at(-1)?.kind === "list") {
      const list = out.at(-1);
      if (list?.kind === "list") list.items.at(-1)?.push({ kind: "text", text: " " }, ...inlines(line.trim()));
    } else {
      paragraph.push(line.trim());
    }
  }
  flush();
  return out;
}

function addItem(out: Block[], ordered: boolean, text: string): void {
  const last = out.at(-1);
  if (last?.kind === "list" && last.ordered === ordered) last.items.push(inlines(text));
  else out.push({ kind: "list", ordered, items: [inlines(text)] });
}
