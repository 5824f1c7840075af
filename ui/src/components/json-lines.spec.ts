import { describe, expect, it } from "vitest";
import { deeper, jsonLines, step } from "./json-lines";

const textOf = (value: unknown, options = {}) => jsonLines(value, options).lines.map((line) => " ".repeat(line.indent * 2) + line.parts.map((part) => part.text).join(""));

describe("JSON as lines", () => {
  it("reads like the pretty text", () => {
    const value = { a: [1, "x", null], empty: {}, none: [] };
    const expected = ["{", '  "a": [', "    1,", '    "x",', "    null", "  ],", '  "empty": {},', '  "none": []', "}"];
    expect(textOf(value)).toEqual(expected);
  });

  it("knows the jq path of every line", () => {
    const paths = jsonLines({ a: [{ "odd key": 1 }] }).lines.map((line) => line.path);
    expect(paths).toContain('.a[0]["odd key"]');
    expect(jsonLines([1]).lines[1]?.path).toBe(".[0]");
    expect(step("name")).toBe(".name");
  });

  it("folds what is asked and says how much is inside", () => {
    expect(textOf({ a: [1, 2, 3] }, { folded: new Set([".a"]) })).toEqual(["{", '  "a": [ 3 items ]', "}"]);
  });

  it("shows a redacted secret as dots with the word", () => {
    expect(textOf({ card: "***" })[1]).toBe('  "card": "••••" redacted');
  });

  it("cuts a long text and a long value, and says so", () => {
    expect(textOf({ a: "x".repeat(9000) })[1]?.length).toBeLessThan(2100);
    expect(jsonLines(Array.from({ length: 9000 }, (_, index) => index)).cut).toBe(true);
  });

  it("finds what is nested deep", () => {
    expect([...deeper({ a: { b: { c: 1 } } }, 2)]).toEqual([".a.b"]);
  });
});
