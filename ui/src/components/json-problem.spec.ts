import { describe, expect, it } from "vitest";
import { jsonProblem } from "./json-problem";

describe("the first problem of a JSON text", () => {
  it.each([
    ["", "Line 1, column 1: expected a value, found the end of the text"],
    ["{", "Line 1, column 2: expected a key in double quotes, found the end of the text"],
    ['{\n  "a": 1\n  "b": 2\n}', 'Line 3, column 3: expected a comma or "}", found """'],
    ['{"a" 1}', 'Line 1, column 6: expected a colon after the key, found "1"'],
    ["{a: 1}", 'Line 1, column 2: expected a key in double quotes, found "a"'],
    ["[1, ]", 'Line 1, column 5: expected a value, found "]"'],
    ["01", 'Line 1, column 1: expected a value, found "0"'],
    ['"open', "Line 1, column 1: the text in quotes is not closed or has a sign that must be escaped"],
    ["1 2", 'Line 1, column 3: nothing may follow the value, but "2" does'],
    ["nul", 'Line 1, column 1: expected a value, found "n"'],
  ])("%j", (text, words) => expect(jsonProblem(text)?.message).toBe(words));

  it("agrees with the engine about what is JSON", () => {
    const texts = ["0", "-1.5e+3", "true", "null", '""', '"\\u00e4\\n"', "[]", "{}", '[1,{"a":[null]}]', " 1 ", "1.", ".5", "+1", "NaN", "'a'", "[1,]", '{"a":1,}', '"\t"', "1e", "truex"];
    for (const text of texts) {
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      expect(jsonProblem(text) === null, text).toBe(valid);
    }
  });

  it("stops at too much nesting instead of overflowing", () => {
    expect(jsonProblem("[".repeat(100_000))?.message).toContain("levels of nesting");
  });
});
