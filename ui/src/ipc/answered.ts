//! How long the window waits for an answer, so that no page waits for ever.
import { Failure } from "./failure";

/** Longer than the shell waits for the agent and the agent's client for a call together: what they say tells more. */
export const ANSWER_MAX_MS = 60_000;

/** The answer, or a failure where none came in time. */
export function answered<T>(asked: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, refuse) => {
    timer = setTimeout(() => refuse(silence()), ANSWER_MAX_MS);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

function silence(): Failure {
  return new Failure({
    code: "MD-901",
    title: "A fault in Mastra itself",
    detail: `No answer came within ${ANSWER_MAX_MS / 1000} s.`,
    value: null,
    hint: "Try again. If no answer comes then either, close Mastra and open it again.",
    kept: "What was saved is on disk.",
  });
}
