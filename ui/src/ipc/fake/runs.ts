//! Runs of the fake agent: the shape of the sample's tasks, with attempts and backoff as they would be.
import type { AttemptView, DslError, RunDetail, RunStatus, RunSummary, TaskView } from "../bindings";

interface Plan {
  name: string;
  kind: string;
  tookMs: number;
  note?: string;
  compensation?: boolean;
}

const ORDER_PLAN: Plan[] = [
  { name: "computeTotals", kind: "set", tookMs: 1 },
  { name: "switchOnAmount", kind: "switch", tookMs: 1, note: "standard" },
  { name: "upsertOrder", kind: "call sqlite.upsert", tookMs: 7 },
  { name: "reserveStock", kind: "try", tookMs: 84 },
  { name: "confirm", kind: "emit", tookMs: 3 },
];

const MORNING_PLAN: Plan[] = [
  { name: "fetchFigures", kind: "call http", tookMs: 148 },
  { name: "writeReport", kind: "call file.write", tookMs: 6 },
];

export const REFUSED: DslError = {
  type: "https://serverlessworkflow.io/spec/1.0.0/errors/communication",
  code: null,
  status: 503,
  title: "HTTP 503 Service Unavailable",
  detail: "POST 127.0.0.1:7411/reservations: answered 503: upstream processor is down",
  instance: "/do/3/reserveStock/try/0/reserve",
};

const planOf = (run: RunSummary) => (run.name === "every-morning" ? MORNING_PLAN : ORDER_PLAN);

const iso = (ms: number) => new Date(ms).toISOString();

/** Attempts as the fault of the sample shows them: two quick refusals, one time-out, one refusal. */
function faultedAttempts(from: number): AttemptView[] {
  const shape = [
    { tookMs: 312, backoffMs: 1000 },
    { tookMs: 301, backoffMs: 2000 },
    { tookMs: 5000, backoffMs: 4000 },
    { tookMs: 309, backoffMs: null },
  ];
  let at = from;
  return shape.map(({ tookMs, backoffMs }, index) => {
    const attempt: AttemptView = {
      number: index + 1,
      startedAt: iso(at),
      endedAt: iso(at + tookMs),
      status: "faulted",
      error: index === 2 ? { ...REFUSED, status: 408, type: REFUSED.type.replace("communication", "timeout"), title: "No answer in time", detail: "POST 127.0.0.1:7411/reservations: no complete answer within 5000 ms" } : REFUSED,
      backoffMs,
    };
    at += tookMs + (backoffMs ?? 0);
    return attempt;
  });
}

function task(plan: Plan, index: number, status: RunStatus): TaskView {
  const reference = `/do/${index}/${plan.name}`;
  return {
    reference,
    key: `${reference}#0`,
    name: plan.name,
    kind: plan.kind,
    depth: 0,
    parent: null,
    iteration: null,
    status,
    startedAt: null,
    endedAt: null,
    input: null,
    output: null,
    error: null,
    note: null,
    attempts: [],
    idempotencyKey: plan.kind.startsWith("call") || plan.kind === "try" ? `r/${reference}/0` : null,
    compensation: plan.compensation ?? false,
  };
}

function finish(view: TaskView, plan: Plan, at: number, input: Record<string, unknown>): number {
  view.status = "completed";
  view.startedAt = iso(at);
  view.endedAt = iso(at + plan.tookMs);
  view.input = input;
  view.output = { ...input, [plan.name]: true };
  view.note = plan.note ?? null;
  view.attempts = [
    { number: 1, startedAt: view.startedAt, endedAt: view.endedAt, status: "completed", error: null, backoffMs: null },
  ];
  return at + plan.tookMs;
}

/** The undoing tasks that follow a fault. */
function undone(from: number): TaskView[] {
  const plans: Plan[] = [
    { name: "releaseStock", kind: "call http", tookMs: 91, compensation: true },
    { name: "markFailed", kind: "set", tookMs: 5, compensation: true },
  ];
  let at = from;
  return plans.map((plan, index) => {
    const view = task(plan, 3, "completed");
    view.reference = `/do/3/reserveStock/catch/do/${index}/${plan.name}`;
    view.key = `${view.reference}#0`;
    view.depth = 1;
    at = finish(view, plan, at, { order: "ord-20418" });
    return view;
  });
}

/** The detail of a run: every task of its plan as far as it came. */
export function detailOf(run: RunSummary, now: number): RunDetail {
  const plans = planOf(run);
  const reached = reachedOf(run, plans, now);
  const input = { id: run.subject ?? "1", customer: "c-118", lines: [{ sku: "SKU-1", quantity: 2, price: 99.5 }], total: 249.5 };
  let at = Date.parse(run.createdAt) + 3;
  const tasks: TaskView[] = [];
  plans.forEach((plan, index) => {
    const view = task(plan, index, "pending");
    tasks.push(view);
    if (index < reached) at = finish(view, plan, at, input);
    else if (index === reached && run.status !== "completed") at = stop(view, run, at, input, tasks);
  });
  return {
    summary: run,
    input,
    output: run.status === "completed" ? { ...input, state: "accepted" } : null,
    error: run.error,
    journalLength: tasks.length * 3 + 2,
    durability: "full",
    definition: null,
    compensation: null,
    undoable: reached > 2 && !run.endedAt,
    tasks,
    entriesOmitted: 0,
  };
}

function reachedOf(run: RunSummary, plans: Plan[], now: number): number {
  if (run.status === "completed") return plans.length;
  if (run.status === "pending") return 0;
  if (run.status === "running") return Math.min(plans.length - 1, Math.floor((now - Date.parse(run.createdAt)) / 600));
  return Math.min(3, plans.length - 1);
}

function stop(view: TaskView, run: RunSummary, at: number, input: unknown, tasks: TaskView[]): number {
  view.startedAt = iso(at);
  view.input = input as never;
  if (run.status !== "faulted") {
    view.status = run.status;
    view.attempts = [{ number: 1, startedAt: iso(at), endedAt: null, status: run.status, error: null, backoffMs: null }];
    if (run.status === "cancelled") view.endedAt = run.endedAt;
    return at;
  }
  view.status = "faulted";
  const error = run.error ?? REFUSED;
  view.error = error;
  view.attempts = error === REFUSED ? faultedAttempts(at) : [{ number: 1, startedAt: iso(at), endedAt: iso(at + 4), status: "faulted", error, backoffMs: null }];
  view.endedAt = view.attempts.at(-1)?.endedAt ?? null;
  const end = Date.parse(view.endedAt ?? view.startedAt);
  tasks.push(...undone(end + 4));
  return end + 100;
}
