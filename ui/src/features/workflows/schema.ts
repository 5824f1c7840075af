//! What a JSON Schema (2020-12) allows at a path: the properties and values to offer, with their words.

export type Schema = Record<string, unknown>;

/** Plain values by depth, as `yamlPlace` gives them. */
export type Beside = readonly Record<string, string>[];

export interface Offer {
  name: string;
  description: string | null;
  /** How it goes on after the name. */
  shape: "object" | "list" | "value";
  required: boolean;
}

const DEPTH_MAX = 12;

const isSchema = (value: unknown): value is Schema => typeof value === "object" && value !== null && !Array.isArray(value);
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The schema and everything that it is made of by reference, `allOf`, `anyOf` and `oneOf`. */
function parts(root: Schema, schema: unknown, depth = 0): Schema[] {
  if (!isSchema(schema) || depth > DEPTH_MAX) return [];
  const out: Schema[] = [schema];
  if (typeof schema["$ref"] === "string") out.push(...parts(root, resolve(root, schema["$ref"]), depth + 1));
  for (const word of ["allOf", "anyOf", "oneOf"]) {
    for (const part of listOf(schema[word])) out.push(...parts(root, part, depth + 1));
  }
  for (const word of ["then", "else"]) out.push(...parts(root, schema[word], depth + 1));
  return out;
}

function resolve(root: Schema, reference: string): unknown {
  if (!reference.startsWith("#")) return undefined;
  let at: unknown = root;
  for (const step of reference.slice(1).split("/").filter(Boolean)) {
    const key = decodeURIComponent(step).replace(/~1/g, "/").replace(/~0/g, "~");
    at = isSchema(at) ? at[key] : Array.isArray(at) ? at[Number(key)] : undefined;
  }
  return at;
}

/** The schemas of what stands at a path. */
function schemasAt(root: Schema, path: readonly string[], beside: Beside = []): Schema[] {
  let here = fitting(parts(root, root), beside[0]);
  path.forEach((step, depth) => {
    const next: Schema[] = [];
    for (const schema of here) next.push(...parts(root, below(schema, step)));
    here = fitting(next, beside[depth + 1]);
  });
  return here;
}

/** Leaves out the branches whose constants differ from the values that stand there: `call: http` is no other call. */
function fitting(schemas: Schema[], values: Record<string, string> | undefined): Schema[] {
  if (!values || Object.keys(values).length === 0) return schemas;
  return schemas.filter((schema) => {
    const properties = isSchema(schema["properties"]) ? schema["properties"] : {};
    return Object.entries(values).every(([key, value]) => {
      const property = properties[key];
      return !isSchema(property) || property["const"] === undefined || String(property["const"]) === value;
    });
  });
}

function below(schema: Schema, step: string): unknown {
  if (step === "[]") return schema["items"];
  const properties = schema["properties"];
  if (isSchema(properties) && step in properties) return properties[step];
  const patterns = schema["patternProperties"];
  if (isSchema(patterns)) {
    const hit = Object.entries(patterns).find(([pattern]) => new RegExp(pattern).test(step));
    if (hit) return hit[1];
  }
  return isSchema(schema["additionalProperties"]) ? schema["additionalProperties"] : undefined;
}

function shapeOf(root: Schema, schema: unknown): Offer["shape"] {
  const all = parts(root, schema);
  if (all.some((part) => part["type"] === "object" || part["properties"] !== undefined)) return "object";
  return all.some((part) => part["type"] === "array") ? "list" : "value";
}

/** The properties that may stand at a path. */
export function propertiesAt(root: Schema, path: readonly string[], beside: Beside = []): Offer[] {
  const offers = new Map<string, Offer>();
  const schemas = schemasAt(root, path, beside).filter((schema) => isSchema(schema["properties"]));
  for (const schema of schemas) {
    const required = new Set(listOf(schema["required"]));
    const properties = isSchema(schema["properties"]) ? schema["properties"] : {};
    for (const [name, property] of Object.entries(properties)) {
      const known = offers.get(name);
      offers.set(name, {
        name,
        description: known?.description ?? descriptionOf(root, property),
        shape: known?.shape ?? shapeOf(root, property),
        // With several kinds to choose from nothing is required yet.
        required: schemas.length === 1 && required.has(name),
      });
    }
  }
  return [...offers.values()];
}

/** The values that a path may have, where the schema lists them. */
export function valuesAt(root: Schema, path: readonly string[], beside: Beside = []): string[] {
  const values = new Set<string>();
  for (const schema of schemasAt(root, path, beside)) {
    for (const value of listOf(schema["enum"])) values.add(String(value));
    if (schema["const"] !== undefined) values.add(String(schema["const"]));
    if (schema["type"] === "boolean") values.add("true").add("false");
    for (const value of listOf(schema["examples"])) if (typeof value === "string") values.add(value);
  }
  return [...values];
}

function descriptionOf(root: Schema, schema: unknown): string | null {
  for (const part of parts(root, schema)) if (typeof part["description"] === "string") return part["description"];
  return null;
}

/** What the schema says about the thing at a path. */
export function descriptionAt(root: Schema, path: readonly string[]): string | null {
  for (const schema of schemasAt(root, path)) if (typeof schema["description"] === "string") return schema["description"];
  return null;
}
