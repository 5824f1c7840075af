//! The form of a connection's settings, from the kind's JSON Schema: fields, defaults, and what is wrong with a value.

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

type Schema = Record<string, unknown>;
const isObject = (value: unknown): value is Schema => typeof value === "object" && value !== null && !Array.isArray(value);

function labelOf(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]+/g, " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `type` may be a word or a list with `null` in it. */
function typeOf(schema: Schema): string {
  const type = schema["type"];
  if (Array.isArray(type)) return String(type.find((word) => word !== "null") ?? "string");
  return typeof type === "string" ? type : "string";
}

/** Follows a local reference and takes the branch that is not `null`. */
function flat(root: Schema, value: unknown): Schema {
  if (!isObject(value)) return {};
  if (typeof value["$ref"] === "string") {
    let at: unknown = root;
    for (const step of value["$ref"].replace(/^#\/?/, "").split("/").filter(Boolean)) at = isObject(at) ? at[step] : undefined;
    return { ...flat(root, at), ...without(value, "$ref") };
  }
  for (const word of ["anyOf", "oneOf", "allOf"]) {
    const branches = value[word];
    if (!Array.isArray(branches)) continue;
    const constants = branches.map((branch) => (isObject(branch) ? branch["const"] : undefined)).filter((constant) => typeof constant === "string");
    if (constants.length === branches.length && constants.length > 0) return { ...without(value, word), type: "string", enum: constants };
    const branch = branches.find((candidate) => isObject(candidate) && candidate["type"] !== "null");
    if (branch) return { ...flat(root, branch), ...without(value, word) };
  }
  return value;
}

function without(schema: Schema, key: string): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key));
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
