import { describe, expect, it } from "vitest";
import { diffLines } from "./diff";

const signs = (before: string, after: string) => diffLines(before, after).map((line) => line.sign + line.text);

describe("a diff of lines", () => {
  it("marks what went and what came, and keeps the rest", () => {
    expect(signs("a\nb\nc", "a\nx\nc")).toEqual([" a", "-b", "+x", " c"]);
    expect(signs("a\nc", "a\nb\nc")).toEqual([" a", "+b", " c"]);
    expect(signs("same", "same")).toEqual([" same"]);
  });

  it("gives both texts back, whatever they are", () => {
    let seed = 5;
    const roll = () => (seed = (seed * 16807) % 2147483647);
    for (let round = 0; round < 200; round += 1) {
      const make = () => Array.from({ length: 1 + (roll() % 8) }, () => "abc"[roll() % 3]).join("\n");
      const before = make();
      const after = make();
      const diff = diffLines(before, after);
      expect(diff.filter((line) => line.sign !== "+").map((line) => line.text).join("\n")).toBe(before);
      expect(diff.filter((line) => line.sign !== "-").map((line) => line.text).join("\n")).toBe(after);
    }
  });
});
