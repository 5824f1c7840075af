import { describe, expect, it } from "vitest";
import { problemsOf } from "./rules.js";

const rulesIn = (path: string, text: string) => problemsOf(path, text).map((problem) => problem.rule);

describe("the rules of the window", () => {
  const markup = "src/features/home/Any.svelte";
  it.each([
    ["raw colour", markup, '<!-- x -->\n<p class="x">{"#ff0000"}</p>'],
    ["raw colour", "src/styles/other.css", "/* x */\na { color: rgb(1 2 3); }"],
    ["arbitrary value", markup, '<!-- x -->\n<p class="w-[12px]"></p>'],
    ["arbitrary value", markup, '<!-- x -->\n<p class="max-wide:grid-cols-[1fr_2fr]"></p>'],
    ["arbitrary value", markup, '<!-- x -->\n<p class="[&>a]:p-1"></p>'],
    ["inline style", markup, '<!-- x -->\n<p style="color: red"></p>'],
    ["style block", markup, "<!-- x -->\n<style>a {}</style>"],
    ["raw HTML", markup, "<!-- x -->\n{@html text}"],
    ["desktop API", markup, '<!-- x -->\nimport { invoke } from "@tauri-apps/api/core";'],
    ["transport", markup, '<!-- x -->\nimport { world } from "../../ipc/fake";'],
    ["domain in the design system", "src/components/Any.svelte", '<!-- x -->\nimport { commands } from "$ipc";'],
    ["console", "src/main.ts", "//! x\nconsole.log(1);"],
    ["opening", "src/main.ts", "const x = 1;"],
    ["length", "src/main.ts", `//! x\n${"\n".repeat(300)}`],
  ])("refuses: %s in %s", (rule, path, text) => {
    expect(rulesIn(path, text)).toContain(rule);
  });

  it("takes tokens, named sizes and style directives", () => {
    const text = '<!-- x -->\n<p class="w-4 bg-surface text-ink-2" style:left="{x}px">{items[0]} #/runs</p>';
    expect(problemsOf(markup, text)).toEqual([]);
  });

  it("takes the desktop API in its one place, and raw colours in the tokens", () => {
    expect(problemsOf("src/ipc/tauri.ts", '//! x\nimport { invoke } from "@tauri-apps/api/core";')).toEqual([]);
    expect(problemsOf("src/styles/tokens.css", "/* x */\n:root { --text: #000000; }")).toEqual([]);
  });
});
