//! An error of a run in words: who failed with what, and what a person can do about it. Pure.
import { plural } from "$components/format";
import type { DslError } from "$ipc";

/** What the agent says of a call: method, host, path, and what came of it. */
const CALL = /^[A-Z]+ (?<host>[^\s/]+)(?:\/\S*)?: (?<said>.+)$/s;
const ANSWERED = /^answered (?<status>\d{3})(?:: (?<why>.+))?$/s;

export interface FaultWords {
  title: string;
  text: string | null;
}

/** The part of the address that a person knows: the ports of HTTP go without saying. */
const known = (host: string) => host.replace(/:(?:80|443)$/, "");

/** "pay.example.com answered 503 after 4 attempts", and what it said. */
export function faultWords(error: DslError, attempts = 1): FaultWords {
  const after = attempts > 1 ? ` after ${plural(attempts, "attempt")}` : "";
  const call = CALL.exec(error.detail ?? "")?.groups;
  const answer = ANSWERED.exec(call?.["said"] ?? "")?.groups;
  const host = known(call?.["host"] ?? "");
  if (answer) return { title: `${host} answered ${answer["status"]}${after}`, text: answer["why"] ?? null };
  if (call && family(error) === "timeout") return { title: `${host} gave no answer in time${after}`, text: error.detail };
  const code = error.code && error.detail?.startsWith(`${error.code}: `) ? error.code.length + 2 : 0;
  return { title: `${error.title ?? `Error ${error.status}`}${after}`, text: error.detail?.slice(code) ?? null };
}

/** The last word of a standard type; empty for one that a workflow made up. */
function family(error: DslError): string {
  return /\/errors\/([a-z]+)$/.exec(error.type)?.[1] ?? "";
}

/** What to do next. `retryFrom` is the task at which the run would go on, if it still can. */
export function nextStep(error: DslError, retryFrom: string | null): string {
  const again = retryFrom ? `then retry: the run goes on at ${retryFrom}, and a call carries the key that it had.` : "then replay the run.";
  switch (family(error)) {
    case "communication":
      return `Find out why the other side failed, ${again}`;
    case "timeout":
      return `Find out why it took so long, or give it more time in the workflow and deploy that; ${again}`;
    case "authentication":
      return `Correct the credentials, ${again}`;
    case "authorization":
      return `Allow it at the other side, or correct the address, ${again}`;
    case "validation":
      return "Replay the run with data that fits.";
    case "configuration":
    case "expression":
      return "Correct the workflow and deploy it, then replay the run: this one keeps the text that it began with.";
    case "runtime":
      return `Look at the agent's log in Settings, ${again}`;
    default:
      return `The workflow raised this error itself. Look at the task's input, ${again}`;
  }
}
