//! The form of an answer, from the task's JSON Schema: its fields, what they hold at first, and the answer they make.
//! Whether the answer fits is the agent's to say; here is only what could not be sent at all.
import { flat, isObject, labelOf, typeOf, type Schema } from "$components/json-schema";

export interface AnswerField {
  /** JSON pointer of its value in the answer. */
  pointer: string;
  label: string;
  hint: string | null;
  /** `long` is text of several lines, `json` what has no control of its own, such as a list. */
  kind: "text" | "long" | "number" | "date" | "choice" | "switch" | "json" | "group";
  choices: { value: string; label: string }[];
  required: boolean;
  /** The fields of a group. */
  fields: AnswerField[];
  /** What it holds at first, as text. */
  first: string;
}

export type Values = Record<string, string>;

/** Groups within groups; what lies deeper is written as JSON. */
const DEPTH_MAX = 3;
/** Text that may be longer than this gets several lines. */
const LINE_MAX = 120;

/** The fields of the answer; one `json` field where the schema names none. */
export function fieldsOf(schema: unknown): AnswerField[] {
  const root = isObject(schema) ? schema : {};
  const whole = fieldOf(root, root, "", "Answer", true, 0);
  return whole.kind === "group" ? whole.fields : [{ ...whole, label: whole.label || "Answer" }];
}

const step = (pointer: string, name: string) => `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;

function fieldOf(root: Schema, value: unknown, pointer: string, name: string, required: boolean, depth: number): AnswerField {
  const schema = flat(root, value);
  const kind = kindOf(schema, depth);
  const standard = schema["default"];
  return {
    pointer,
    label: typeof schema["title"] === "string" ? schema["title"] : labelOf(name),
    hint: typeof schema["description"] === "string" ? schema["description"] : null,
    kind,
    choices: kind === "choice" ? choicesOf(schema) : [],
    required,
    fields: kind === "group" ? groupOf(root, schema, pointer, depth) : [],
    first: standard === undefined ? (kind === "switch" ? "false" : "") : textOf(kind, standard),
  };
}

/** Required ones first, each in the schema's order. */
function groupOf(root: Schema, schema: Schema, pointer: string, depth: number): AnswerField[] {
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const fields = Object.entries(isObject(schema["properties"]) ? schema["properties"] : {}).map(([name, property]) =>
    fieldOf(root, property, step(pointer, name), name, required.has(name), depth + 1),
  );
  return [...fields.filter((field) => field.required), ...fields.filter((field) => !field.required)];
}

function kindOf(schema: Schema, depth: number): AnswerField["kind"] {
  if (Array.isArray(schema["enum"]) || "const" in schema) return "choice";
  const properties = isObject(schema["properties"]) ? Object.keys(schema["properties"]).length : 0;
  switch (typeOf(schema)) {
    case "boolean":
      return "switch";
    case "integer":
    case "number":
      return "number";
    case "object":
      return properties > 0 && depth < DEPTH_MAX ? "group" : "json";
    case "string":
      if (schema["format"] === "date") return "date";
      return typeof schema["maxLength"] === "number" && schema["maxLength"] > LINE_MAX ? "long" : "text";
    default:
      return "json";
  }
}

/** Any JSON may be a choice: its value is its JSON text. */
function choicesOf(schema: Schema): AnswerField["choices"] {
  const values: unknown[] = Array.isArray(schema["enum"]) ? schema["enum"] : [schema["const"]];
  return values.map((value) => ({ value: JSON.stringify(value), label: typeof value === "string" ? value : JSON.stringify(value) }));
}

function textOf(kind: AnswerField["kind"], value: unknown): string {
  if (kind === "json" || kind === "choice") return JSON.stringify(value, null, kind === "json" ? 2 : 0);
  return String(value);
}

/** All fields that hold a value, groups opened. */
export function leavesOf(fields: readonly AnswerField[]): AnswerField[] {
  return fields.flatMap((field) => (field.kind === "group" ? leavesOf(field.fields) : [field]));
}

export function initial(fields: readonly AnswerField[]): Values {
  return Object.fromEntries(leavesOf(fields).map((field) => [field.pointer, field.first]));
}

/** Why what was typed can't be sent, by pointer; empty fields are for the agent to judge. */
export function unsendable(fields: readonly AnswerField[], values: Values): Values {
  const out: Values = {};
  for (const field of leavesOf(fields)) {
    const text = (values[field.pointer] ?? "").trim();
    if (text === "") continue;
    if (field.kind === "number" && !/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) out[field.pointer] = `${field.label} is a number such as 12 or 12.5; ${text} is not.`;
    if (field.kind === "date" && !isDate(text)) out[field.pointer] = `${field.label} is a date such as 2026-11-21; ${text} is not.`;
    if (field.kind === "json" && !isJson(text)) out[field.pointer] = `${field.label} is not JSON.`;
  }
  return out;
}

/** A day that the calendar has. */
function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The answer as JSON text: numbers keep their digits, empty fields and groups without a value are left out. */
export function answerOf(fields: readonly AnswerField[], values: Values): string {
  const whole = fields.find((field) => field.pointer === "");
  if (whole) return valueText(whole, values) ?? "null";
  return `{${members(fields, values).join(",")}}`;
}

function members(fields: readonly AnswerField[], values: Values): string[] {
  return fields.flatMap((field) => {
    const text = valueText(field, values);
    const name = field.pointer.slice(field.pointer.lastIndexOf("/") + 1).replaceAll("~1", "/").replaceAll("~0", "~");
    return text === null ? [] : [`${JSON.stringify(name)}:${text}`];
  });
}

function valueText(field: AnswerField, values: Values): string | null {
  if (field.kind === "group") {
    const inside = members(field.fields, values);
    return inside.length > 0 || field.required ? `{${inside.join(",")}}` : null;
  }
  const text = values[field.pointer] ?? "";
  // An optional switch that nobody touched says nothing.
  if (field.kind === "switch") return text === "true" ? "true" : field.required || field.first === "true" ? "false" : null;
  if (text.trim() === "") return null;
  return field.kind === "text" || field.kind === "long" || field.kind === "date" ? JSON.stringify(text.trim()) : text.trim();
}

/** What does not fit, by the pointer of a field; what has no field stands under the empty pointer. */
export function misfitsByField(fields: readonly AnswerField[], misfits: readonly { pointer: string; message: string }[]): Values {
  const leaves = leavesOf(fields);
  const out: Values = {};
  for (const { pointer, message } of misfits) {
    const field = leaves.find((leaf) => leaf.pointer !== "" && (leaf.pointer === pointer || pointer.startsWith(`${leaf.pointer}/`)));
    const words = field && message.endsWith("is a required property") ? `${field.label} is empty.` : message;
    const at = field?.pointer ?? "";
    out[at] = out[at] ? `${out[at]} ${words}` : words;
  }
  return out;
}
