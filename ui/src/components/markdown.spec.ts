import { describe, expect, it } from "vitest";
import { blocks } from "./markdown";

describe("a help page", () => {
  it("has headings, paragraphs over lines, lists and code", () => {
    const page = "# MD-502 Title\n\nOne line\nand the next.\n\n## What to do\n\n1. Run `x`.\n2. **Wait**.\n\n- a\n- b\n\n```sh\nloginctl enable-linger\n```\n";
    expect(blocks(page).map((block) => block.kind)).toEqual(["heading", "paragraph", "heading", "list", "list", "code"]);
    expect(blocks(page)[1]).toEqual({ kind: "paragraph", inlines: [{ kind: "text", text: "One line and the next." }] });
    expect(blocks(page)[3]).toMatchObject({ ordered: true, items: [[{ kind: "text" }, { kind: "code", text: "x" }, { kind: "text" }], [{ kind: "strong", text: "Wait" }, { kind: "text" }]] });
    expect(blocks(page)[5]).toEqual({ kind: "code", language: "sh", text: "loginctl enable-linger" });
  });

  it("lets no HTML through: it is text", () => {
    expect(blocks("<img src=x onerror=alert(1)>")).toEqual([{ kind: "paragraph", inlines: [{ kind: "text", text: "<img src=x onerror=alert(1)>" }] }]);
  });
});
