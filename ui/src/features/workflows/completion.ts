//! Completion of a document's text from the schema: properties where a key is typed, values after it.
import type { Completion, CompletionContext, CompletionResult, CompletionSource } from "@codemirror/autocomplete";
import { propertiesAt, valuesAt, type Offer, type Schema } from "./schema";
import { yamlPlace } from "./yaml-path";

const ENDINGS: Record<Offer["shape"], string> = { object: ":\n", list: ":\n", value: ": " };

function option(offer: Offer, indent: string): Completion {
  const ending = ENDINGS[offer.shape];
  const deeper = ending === ":\n" ? `${indent}  ${offer.shape === "list" ? "- " : ""}` : "";
  return {
    label: offer.name,
    apply: offer.name + ending + deeper,
    detail: offer.required ? "required" : offer.shape === "value" ? "" : offer.shape,
    ...(offer.description ? { info: offer.description } : {}),
    boost: offer.required ? 2 : 0,
  };
}

/** A source that reads the schema at the time it is asked. */
export function schemaCompletion(schema: () => Schema | undefined): CompletionSource {
  return (context: CompletionContext): CompletionResult | null => {
    const root = schema();
    if (!root) return null;
    const place = yamlPlace(context.state.doc.toString(), context.pos);
    if (!context.explicit && place.typed === "" && !place.isKey) return null;
    if (!context.explicit && place.typed === "" && context.matchBefore(/-\s+$/) === null) return null;
    const options = place.isKey ? keys(root, place.path, place.siblings, context, place.from) : values(root, place.path);
    return options.length === 0 ? null : { from: place.from, options, validFor: /^[\w.:@/-]*$/ };
  };
}

function keys(root: Schema, path: string[], siblings: string[], context: CompletionContext, from: number): Completion[] {
  const line = context.state.doc.lineAt(from);
  const indent = " ".repeat(from - line.from);
  const has = new Set(siblings);
  return propertiesAt(root, path)
    .filter((offer) => !has.has(offer.name))
    .map((offer) => option(offer, indent));
}

function values(root: Schema, path: string[]): Completion[] {
  return valuesAt(root, path).map((value) => ({ label: value, type: "enum" }));
}
