//! An answer while it is filled in: values, what is wrong with them, and the way to the agent.
import { commands, viewOf, type ErrorView, type PersonTask, type RunSummary } from "$ipc";
import { answerOf, fieldsOf, initial, misfitsByField, unsendable, type AnswerField, type Values } from "./answer";

/** Where an approval says yes or no. */
const APPROVED = "/approved";

export type Act = "send" | "approve" | "decline";

export class AnswerForm {
  readonly fields: AnswerField[];
  /** A yes or no: it has two buttons instead of a switch. */
  readonly approval: boolean;
  values = $state<Values>({});
  /** By the pointer of the field; under the empty pointer what has no field. */
  errors = $state.raw<Values>({});
  error = $state.raw<ErrorView | null>(null);
  busy = $state<Act | null>(null);

  constructor(readonly task: PersonTask) {
    this.fields = fieldsOf(task.schema);
    this.values = initial(this.fields);
    this.approval = task.kind === "approval" && this.fields.some((field) => field.pointer === APPROVED && field.kind === "switch");
  }

  /** What a person fills in. */
  get shown(): AnswerField[] {
    return this.approval ? this.fields.filter((field) => field.pointer !== APPROVED) : this.fields;
  }

  /** What is wrong and stands beside no field. */
  get general(): string | null {
    return this.fields.some((field) => field.pointer === "") ? null : (this.errors[""] ?? this.errors[this.approval ? APPROVED : ""] ?? null);
  }

  set(pointer: string, value: string): void {
    this.values[pointer] = value;
    if (this.errors[pointer]) this.errors = Object.fromEntries(Object.entries(this.errors).filter(([known]) => known !== pointer));
  }

  /** Gives the run that took the answer, or nothing when something is in the way. */
  async answer(act: Act): Promise<RunSummary | null> {
    if (this.busy) return null;
    this.error = null;
    this.errors = unsendable(this.fields, this.values);
    if (Object.keys(this.errors).length > 0) return null;
    this.busy = act;
    try {
      const values = act === "send" ? this.values : { ...this.values, [APPROVED]: String(act === "approve") };
      const { run, misfits } = await commands.taskAnswer({ run: this.task.run, task: this.task.task, data: answerOf(this.fields, values) });
      this.errors = misfitsByField(this.fields, misfits);
      return run;
    } catch (thrown) {
      this.error = viewOf(thrown);
      return null;
    } finally {
      this.busy = null;
    }
  }
}
