import { describe, expect, it } from "vitest";
import { bytes, count, duration, durationParts, listed, middle, percent, plural, sentence, shortId, soon, span, taskTitle, when } from "./format";

describe("a message as a sentence", () => {
  it("begins with a capital", () => expect(sentence("the map failed: 7 is no text")).toBe("The map failed: 7 is no text"));

  it.each(["pay.example.com answered 503", "customers.csv is empty", "'${' without its closing '}'", "postal_code is empty", "/do/1 is unknown", "2 rows"])(
    "%s stays as it is",
    (text) => expect(sentence(text)).toBe(text),
  );
});

describe("words one after the other", () => {
  it.each([
    [[], ""],
    [["id"], "id"],
    [["id", "name"], "id and name"],
    [["id", "name", "city"], "id, name and city"],
  ])("%j", (words, text) => expect(listed(words)).toBe(text));
});

describe("numbers in words", () => {
  it.each([
    [0, "0 ms"],
    [999, "999 ms"],
    [1000, "1.00 s"],
    [13_210, "13.2 s"],
    [88_000, "1 m 28 s"],
    [3_600_000 * 2 + 180_000, "2 h 03 m"],
    [86_400_000 * 3 + 3_600_000, "3 d 1 h"],
  ])("%d ms is %s", (ms, words) => expect(duration(ms)).toBe(words));

  it("splits a duration into value and unit", () => {
    expect(durationParts(218)).toEqual({ value: "218", unit: "ms" });
    expect(durationParts(88_000)).toEqual({ value: "1 m 28", unit: "s" });
  });

  it.each([
    [1000, "1 s"],
    [2500, "2.5 s"],
    [600_000, "10 min"],
  ])("a chosen length of %d is %s", (ms, words) => expect(span(ms)).toBe(words));

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1300, "1.3 kB"],
    [38_200_000, "38 MB"],
  ])("%d bytes are %s", (number, words) => expect(bytes(number)).toBe(words));

  it("never rounds a share up to everything", () => {
    expect(percent(99_999, 100_000)).toBe("99.9");
    expect(percent(100_000, 100_000)).toBe("100");
    expect(percent(0, 0)).toBe("0");
  });

  it("counts with separators and the right word", () => {
    expect(count(1284)).toBe("1,284");
    expect(plural(1, "run")).toBe("1 run");
    expect(plural(0, "run")).toBe("0 runs");
  });
});

describe("moments", () => {
  const now = new Date(2026, 10, 21, 9, 42, 0).getTime();
  it("is a clock today, a date before, a year long before", () => {
    expect(when(new Date(2026, 10, 21, 9, 41, 22).toISOString(), now)).toBe("09:41:22");
    expect(when(new Date(2026, 10, 14, 9, 41, 0).toISOString(), now)).toBe("14 Nov 09:41");
    expect(when(new Date(2024, 10, 14, 9, 41, 0).toISOString(), now)).toBe("14 Nov 2024");
  });
  it("names a time within a day by the clock alone", () => {
    expect(soon(new Date(2026, 10, 22, 6, 0, 0).toISOString(), now)).toBe("06:00");
    expect(soon(new Date(2026, 10, 24, 6, 0, 0).toISOString(), now)).toBe("24 Nov 06:00");
  });
});

describe("names", () => {
  it.each([
    ["chargeCard", "Charge card"],
    ["upsert-order", "Upsert order"],
    ["callAPI", "Call API"],
    ["Already a title", "Already a title"],
  ])("%s reads %s", (name, title) => expect(taskTitle(name)).toBe(title));

  it("keeps both ends of a long text", () => {
    expect(middle("customers-2026-11-from-the-north.csv", 20)).toHaveLength(20);
    expect(middle("customers-2026-11-from-the-north.csv", 20)).toMatch(/^customers-.*\.csv$/);
  });

  it("shortens an id by its end, where ids of one second differ", () => {
    expect(shortId("0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f")).toBe("r-1d4e5f");
  });
});
