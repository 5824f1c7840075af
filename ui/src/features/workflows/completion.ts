//! Completion of a document's text from the schema: properties where a key is typed, values after it.
import type { Completion, CompletionContext, CompletionResult, CompletionSource } from "@codemirror/autocomplete";
import { propertiesAt, valuesAt, type Offer, type Schema } from "./schema";
import { yamlPlace, type YamlPlace } from "./yaml-path";

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
    const options = place.isKey ? keys(root, place, context) : values(root, place);
    return options.length === 0 ? null : { from: place.from, options, validFor: /^[\w.:@/-]*$/ };
  };
}

function keys(root: Schema, place: YamlPlace, context: CompletionContext): Completion[] {
  const line = context.state.doc.lineAt(place.from);
  const indent = " ".repeat(place.from - line.from);
  const has = new Set(place.siblings);
  return propertiesAt(root, place.path, place.beside)
    .filter((offer) => !has.has(offer.name))
    .map((offer) => option(offer, indent));
}

function values(root: Schema, place: YamlPlace): Completion[] {
  return valuesAt(root, place.path, place.beside).map((value) => ({ label: value, type: "enum" }));
}
