//! Reading a JSON Schema for a form: references followed, the branch that is not `null` taken, names in words.

export type Schema = Record<string, unknown>;

export const isObject = (value: unknown): value is Schema => typeof value === "object" && value !== null && !Array.isArray(value);

/** "postalCode" and "postal_code" to "Postal code". */
export function labelOf(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]+/g, " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `type` may be a word or a list with `null` in it. */
export function typeOf(schema: Schema): string {
  const type = schema["type"];
  if (Array.isArray(type)) return String(type.find((word) => word !== "null") ?? "string");
  if (typeof type === "string") return type;
  return isObject(schema["properties"]) ? "object" : "string";
}

function without(schema: Schema, key: string): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key));
}

/** References that lead to references are followed this far; a circle ends here. */
const STEPS_MAX = 32;

/** Follows a local reference and takes the branch that is not `null`. */
export function flat(root: Schema, value: unknown, steps = 0): Schema {
  if (!isObject(value) || steps > STEPS_MAX) return {};
  if (typeof value["$ref"] === "string") {
    let at: unknown = root;
    for (const step of value["$ref"].replace(/^#\/?/, "").split("/").filter(Boolean)) at = isObject(at) ? at[step] : undefined;
    return { ...flat(root, at, steps + 1), ...without(value, "$ref") };
  }
  for (const word of ["anyOf", "oneOf", "allOf"]) {
    const branches = value[word];
    if (!Array.isArray(branches)) continue;
    const constants = branches.map((branch) => (isObject(branch) ? branch["const"] : undefined)).filter((constant) => typeof constant === "string");
    if (constants.length === branches.length && constants.length > 0) return { ...without(value, word), type: "string", enum: constants };
    const branch = branches.find((candidate) => isObject(candidate) && candidate["type"] !== "null");
    if (branch) return { ...flat(root, branch, steps + 1), ...without(value, word) };
  }
  return value;
}
