//! What a file of the window may not hold. Pure: a path and a text in, problems out.

/** @typedef {{ path: string, line: number, rule: string, found: string, instead: string }} Problem */
/** @typedef {{ name: string, pattern: RegExp, applies: (path: string) => boolean, instead: string }} Rule */

/** @param {string} path */
const isStyle = (path) => path.endsWith(".css");
/** @param {string} path */
const isSpec = (path) => path.endsWith(".spec.ts");
/** @param {string} path */
const isMarkup = (path) => path.endsWith(".svelte");

/** @type {Rule[]} */
export const RULES = [
  {
    name: "raw colour",
    pattern: /#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})\b(?![\w-])|\b(?:rgba?|hsla?|oklch|oklab|lab|lch)\(/,
    applies: (path) => path !== "src/styles/tokens.css" && !isSpec(path) && !path.startsWith("src/ipc/"),
    instead: "a token of src/styles/tokens.css",
  },
  {
    name: "arbitrary value",
    pattern: /(?<=["'`\s])(?:[a-z-]+:)*(?:[a-z][a-z0-9-]*-\[[^\]\s]+\]|\[[&@][^\]]*\]:\S+)/,
    applies: (path) => isMarkup(path),
    instead: "a name of the scale, or an @utility in src/styles/layout.css",
  },
  {
    name: "inline style",
    pattern: /\sstyle\s*=\s*["{]/,
    applies: isMarkup,
    instead: "a class, or a style: directive for a measure that changes; the policy refuses the attribute",
  },
  { name: "style block", pattern: /<style[\s>]/, applies: isMarkup, instead: "utilities and src/styles" },
  { name: "raw HTML", pattern: /\{@html\b|\.innerHTML\b/, applies: (path) => !isStyle(path) && !isSpec(path), instead: "text and components" },
  {
    name: "desktop API",
    pattern: /@tauri-apps\//,
    applies: (path) => !path.startsWith("src/ipc/"),
    instead: "commands and listen from $ipc",
  },
  {
    name: "transport",
    pattern: /from\s+["'][^"']*(?:ipc\/fake|\$transport|ipc\/tauri|ipc\/bindings)/,
    applies: (path) => !path.startsWith("src/ipc/") && !isSpec(path) && path !== "src/test-setup.ts",
    instead: "what $ipc exports",
  },
  {
    name: "domain in the design system",
    pattern: /from\s+["'](?:\$features|\$ipc|\$errors)/,
    applies: (path) => path.startsWith("src/components/") && !isSpec(path),
    instead: "a property; components know no domain word",
  },
  { name: "console", pattern: /\bconsole\.\w+\(/, applies: (path) => !isSpec(path), instead: "an error that a person sees" },
];

const LINES_MAX = 300;
/** How a file opens: what it owns. */
const OPENINGS = [
  { ends: ".ts", opening: "//!" },
  { ends: ".js", opening: "//!" },
  { ends: ".svelte", opening: "<!--" },
  { ends: ".css", opening: "/*" },
];

/**
 * @param {string} path relative to the folder of the window, with forward slashes
 * @param {string} text
 * @returns {Problem[]}
 */
export function problemsOf(path, text) {
  const lines = text.split("\n");
  /** @type {Problem[]} */
  const problems = [];
  for (const rule of RULES.filter((known) => known.applies(path))) {
    lines.forEach((line, index) => {
      const hit = rule.pattern.exec(line);
      if (hit) problems.push({ path, line: index + 1, rule: rule.name, found: hit[0].trim(), instead: rule.instead });
    });
  }
  const opening = OPENINGS.find((known) => path.endsWith(known.ends))?.opening;
  if (opening && !isSpec(path) && !text.startsWith(opening) && !text.startsWith("// Generated")) {
    problems.push({ path, line: 1, rule: "opening", found: lines[0] ?? "", instead: `${opening} what the file owns` });
  }
  if (lines.length > LINES_MAX && !text.startsWith("// Generated") && !path.startsWith("src/ipc/fake/")) {
    problems.push({ path, line: LINES_MAX, rule: "length", found: `${lines.length} lines`, instead: `at most ${LINES_MAX}` });
  }
  return problems;
}
