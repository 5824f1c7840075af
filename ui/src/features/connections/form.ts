//! The form of a connection's settings, from the kind's JSON Schema: fields, defaults, and what is wrong with a value.
import { flat, isObject, labelOf, typeOf, type Schema } from "$components/json-schema";

export interface FormField {
  name: string;
  label: string;
  hint: string | null;
  /** `long` is text of several lines, such as a certificate. */
  kind: "text" | "long" | "number" | "choice" | "switch";
  choices: string[];
  required: boolean;
  default: string;
  minimum: number | null;
  maximum: number | null;
  minLength: number;
  maxLength: number;
  pattern: string | null;
}

/** The fields of a settings schema, required ones first, in the schema's order. */
export function fieldsOf(schema: unknown): FormField[] {
  const root = isObject(schema) ? schema : {};
  const properties = isObject(root["properties"]) ? root["properties"] : {};
  const required = new Set(Array.isArray(root["required"]) ? root["required"] : []);
  return Object.entries(properties).map(([name, property]) => fieldOf(name, flat(root, property), required.has(name)));
}

function kindOf(type: string, choices: readonly string[], description: string): FormField["kind"] {
  if (choices.length > 0) return "choice";
  if (type === "boolean") return "switch";
  if (type === "integer" || type === "number") return "number";
  return /\bPEM\b/.test(description) ? "long" : "text";
}

const numberOr = (value: unknown) => (typeof value === "number" ? value : null);

function fieldOf(name: string, schema: Schema, required: boolean): FormField {
  const type = typeOf(schema);
  const choices = Array.isArray(schema["enum"]) ? schema["enum"].filter((choice) => choice !== null).map(String) : [];
  const kind = kindOf(type, choices, String(schema["description"] ?? ""));
  const standard = schema["default"];
  return {
    name,
    label: typeof schema["title"] === "string" ? schema["title"] : labelOf(name),
    hint: typeof schema["description"] === "string" ? schema["description"] : null,
    kind,
    choices,
    required,
    default: standard === undefined || standard === null ? (kind === "choice" && required ? (choices[0] ?? "") : kind === "switch" ? "false" : "") : String(standard),
    minimum: numberOr(schema["minimum"]),
    maximum: numberOr(schema["maximum"]),
    minLength: numberOr(schema["minLength"]) ?? 0,
    maxLength: numberOr(schema["maxLength"]) ?? Number.POSITIVE_INFINITY,
    pattern: typeof schema["pattern"] === "string" ? schema["pattern"] : null,
  };
}

/** What the form holds at first: the saved settings over the defaults. */
export function initial(fields: readonly FormField[], settings: unknown): Record<string, string> {
  const saved = isObject(settings) ? settings : {};
  return Object.fromEntries(fields.map((field) => [field.name, saved[field.name] == null ? field.default : String(saved[field.name])]));
}

/** What is wrong with a value, or nothing. */
export function wrongWith(field: FormField, value: string): string | null {
  const text = value.trim();
  if (text === "") return field.required ? `${field.label} is empty.` : null;
  if (field.kind === "number") return wrongNumber(field, text);
  if (text.length < field.minLength) return `${field.label} needs at least ${field.minLength} characters; it has ${text.length}.`;
  if (text.length > field.maxLength) return `${field.label} may have ${field.maxLength} characters; it has ${text.length}.`;
  if (field.pattern && !new RegExp(field.pattern, "u").test(text)) return `${field.label} has a sign that is not allowed: ${text}`;
  return null;
}

function wrongNumber(field: FormField, text: string): string | null {
  const number = Number(text);
  if (!Number.isInteger(number)) return `${field.label} is a whole number; ${text} is not.`;
  if (field.minimum !== null && number < field.minimum) return `${field.label} is at least ${field.minimum}; it is ${text}.`;
  if (field.maximum !== null && number > field.maximum) return `${field.label} is at most ${field.maximum}; it is ${text}.`;
  return null;
}

/** The settings to save: values in their types, empty optional ones left out. */
export function settingsOf(fields: readonly FormField[], values: Record<string, string>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const field of fields) {
    const text = (values[field.name] ?? "").trim();
    if (text === "") continue;
    out[field.name] = field.kind === "number" ? Number(text) : field.kind === "switch" ? text === "true" : text;
  }
  return out;
}

/** A name that documents can refer to. */
export function wrongName(name: string): string | null {
  if (name.trim() === "") return "Give it a name.";
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(name)) return "1 to 63 letters, digits or inner hyphens.";
  return null;
}
