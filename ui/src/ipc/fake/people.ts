//! Tasks for people of the fake: an approval and a form, checked against what their schemas ask for.
import type { AnswerMisfit, PersonTask, RunSummary } from "../bindings";
import type { Handlers } from "./handlers";
import { failure, type World } from "./world";

type Part = Pick<Handlers, "tasksList" | "taskAnswer">;

const APPROVAL = {
  type: "object",
  required: ["approved"],
  properties: { approved: { type: "boolean", title: "Approved" }, comment: { type: "string", title: "Comment" } },
  additionalProperties: false,
};

const SUPPLIER = {
  type: "object",
  required: ["email", "country", "terms", "address"],
  properties: {
    email: { type: "string", title: "Email" },
    country: { type: "string", title: "Country", enum: ["Germany", "France", "Spain"] },
    terms: { type: "integer", title: "Payment days", description: "From the day of the invoice.", minimum: 7, default: 30 },
    address: {
      type: "object",
      title: "Address",
      required: ["street"],
      properties: { street: { type: "string", title: "Street" }, postal_code: { type: "string", title: "Postal code" } },
    },
    since: { type: "string", format: "date", title: "Partner since" },
    critical: { type: "boolean", title: "Critical for production" },
    notes: { type: "string", title: "Notes", maxLength: 2000 },
  },
};

/** What waits in the scene that is full. */
export function peopleOf(runs: readonly RunSummary[]): PersonTask[] {
  const waiting = runs.find((run) => run.status === "waiting");
  const base = { assignee: null, workflow: "Orders", since: new Date(Date.now() - 260_000).toISOString() };
  return [
    {
      ...base,
      run: waiting?.id ?? "run-approval",
      task: "/do/3/approve",
      kind: "approval",
      title: `Ship ${waiting?.subject ?? "ord-1"}?`,
      description: "The total is 2,400 EUR, above the limit of 1,000 EUR.",
      assignee: "ada",
      schema: APPROVAL,
    },
    { ...base, run: runs.find((run) => run.status === "running")?.id ?? "run-form", task: "/do/0/details", kind: "form", title: "Details of Acme Steel", description: null, workflow: "New supplier", schema: SUPPLIER },
  ];
}

export function peopleHandlers(world: World): Part {
  return {
    tasksList: () => {
      world.needAgent();
      return world.people;
    },
    taskAnswer: ({ run, task, data }) => {
      world.needAgent();
      const open = world.people.find((known) => known.run === run && known.task === task);
      if (!open) throw failure("MD-212", "The run is not in a state that allows this", `Task ${task} of run ${run} waits for no answer: it was given, or the task is over.`);
      const misfits = misfitsOf(open.schema as typeof SUPPLIER, JSON.parse(data) as Record<string, unknown>);
      if (misfits.length > 0) return { run: null, misfits };
      world.people = world.people.filter((known) => known !== open);
      world.answers.set(`${run} ${task}`, data);
      const known = world.runs.find((candidate) => candidate.id === run) ?? world.makeRun({ id: run, status: "running" });
      known.status = "running";
      world.tell(known);
      return { run: known, misfits };
    },
  };
}

/** Only what the specs need of a validator: what is missing, and what a whole number is. */
function misfitsOf(schema: { required?: string[]; properties?: Record<string, unknown> }, data: Record<string, unknown>, at = ""): AnswerMisfit[] {
  const missing = (schema.required ?? []).filter((name) => !(name in data)).map((name) => ({ pointer: `${at}/${name}`, message: `"${name}" is a required property` }));
  const inside = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const value = data[name];
    const inner = property as { type?: string; minimum?: number; properties?: Record<string, unknown> };
    if (typeof value === "number" && inner.minimum !== undefined && value < inner.minimum) return [{ pointer: `${at}/${name}`, message: `${value} is less than the minimum of ${inner.minimum}` }];
    return inner.properties && typeof value === "object" && value !== null ? misfitsOf(inner, value as Record<string, unknown>, `${at}/${name}`) : [];
  });
  return [...missing, ...inside];
}
