import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ANSWER_MAX_MS } from "./answered";
import { Resource } from "./resource.svelte";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A resource whose answers the test gives, in the order in which they were asked for. */
function asked() {
  const answers: ((data: string) => void)[] = [];
  const resource = new Resource<string>(() => new Promise((answer) => answers.push(answer)));
  return { resource, answers };
}

it("gives up a read that is never answered, and reads again when it is asked to", async () => {
  const { resource, answers } = asked();
  const first = resource.reload();
  await vi.advanceTimersByTimeAsync(ANSWER_MAX_MS - 1);
  expect([resource.busy, resource.error]).toEqual([true, null]);
  await vi.advanceTimersByTimeAsync(1);
  await first;
  expect(resource.busy).toBe(false);
  expect(resource.error).toMatchObject({ code: "MD-901", detail: "No answer came within 60 s." });

  const second = resource.reload();
  answers[1]?.("here");
  await second;
  expect([resource.data, resource.error]).toEqual(["here", null]);
});

it("takes an answer that comes after it was given up", async () => {
  const { resource, answers } = asked();
  void resource.reload();
  await vi.advanceTimersByTimeAsync(ANSWER_MAX_MS);
  answers[0]?.("late");
  await vi.advanceTimersByTimeAsync(0);
  expect([resource.data, resource.error]).toEqual(["late", null]);
});

it("takes no late answer over that of a newer read", async () => {
  const { resource, answers } = asked();
  void resource.reload();
  await vi.advanceTimersByTimeAsync(ANSWER_MAX_MS);
  const second = resource.reload();
  answers[1]?.("new");
  await second;
  answers[0]?.("old");
  await vi.advanceTimersByTimeAsync(0);
  expect(resource.data).toBe("new");
});

it("keeps what it had, beside the error, and what it failed with before the limit", async () => {
  let load = (): Promise<string> => Promise.resolve("known");
  const resource = new Resource<string>(() => load());
  await resource.reload();
  load = () => Promise.reject(new Error("refused"));
  await resource.reload();
  expect([resource.data, resource.error?.detail]).toEqual(["known", "refused"]);
  await vi.advanceTimersByTimeAsync(ANSWER_MAX_MS);
  expect(resource.error?.detail).toBe("refused");
});
