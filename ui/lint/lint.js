//! Reads every file of the window and says what the rules refuse. Exits 1 when there is anything.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { problemsOf } from "./rules.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = ["src", "public"]
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && /\.(ts|js|svelte|css)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name));

const problems = files.flatMap((file) => problemsOf(relative(root, file).split(sep).join("/"), readFileSync(file, "utf8")));
for (const { path, line, rule, found, instead } of problems) {
  process.stdout.write(`${path}:${line}: ${rule}: ${found} — use ${instead}\n`);
}
process.stdout.write(`${files.length} files, ${problems.length} problems\n`);
process.exit(problems.length === 0 ? 0 : 1);
