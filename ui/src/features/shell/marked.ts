//! Splits a label where the searched words are, so that they can be shown.

export function marked(label: string, words: string): { text: string; hit: boolean }[] {
  if (words === "") return [{ text: label, hit: false }];
  const at = label.toLowerCase().indexOf(words.toLowerCase());
  if (at < 0) return [{ text: label, hit: false }];
  return [
    { text: label.slice(0, at), hit: false },
    { text: label.slice(at, at + words.length), hit: true },
    { text: label.slice(at + words.length), hit: false },
  ].filter((part) => part.text !== "");
}
