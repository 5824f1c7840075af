//! How the code editor is put together: keys, colours from the tokens, completion, problems.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionSource } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, MatchDecorator, ViewPlugin, type DecorationSet, type ViewUpdate, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export type Language = "yaml" | "json";

/** Lines and columns count from 1; columns in UTF-16 units. */
export interface EditorProblem {
  severity: "error" | "warning";
  message: string;
  hint?: string | null;
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
}

export interface EditorOptions {
  root: ShadowRoot;
  text: string;
  language: Language;
  label: string;
  completion?: CompletionSource | undefined;
  onchange: (text: string) => void;
  onsubmit: () => void;
}

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
  { tag: [tags.string, tags.content], color: "var(--code-string)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: [tags.bool, tags.null, tags.keyword, tags.typeName, tags.labelName], color: "var(--code-keyword)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--code-comment)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--code-punct)" },
]);

const look = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "12px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-code)", lineHeight: "20px", fontFeatureSettings: '"calt" 0', letterSpacing: "0" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--flame-bright)" },
  ".cm-line": { padding: "0 14px 0 6px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--text-3)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "34px", padding: "0 8px 0 6px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--flame-bright)", borderLeftWidth: "1.5px" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--focus) 24%, transparent) !important" },
  ".cm-matchingBracket": { backgroundColor: "var(--active) !important", outline: "none" },
  ".cm-expression, .cm-expression *": { color: "var(--code-expr)" },
  ".cm-foldPlaceholder": { background: "var(--active)", border: "none", color: "var(--text-2)", padding: "0 6px", borderRadius: "3px" },
  ".cm-foldGutter .cm-gutterElement": { color: "var(--text-3)", padding: "0 4px" },
  ".cm-tooltip": { background: "var(--raised)", color: "var(--text)", border: "none", borderRadius: "7px", boxShadow: "var(--shadow-2)", overflow: "hidden", fontFamily: "var(--font-ui)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--font-code)", maxHeight: "240px", padding: "4px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 8px", borderRadius: "5px", lineHeight: "20px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { background: "var(--active)", color: "var(--text)" },
  ".cm-completionDetail": { color: "var(--text-3)", fontStyle: "normal", marginLeft: "12px" },
  ".cm-completionMatchedText": { textDecoration: "none", color: "var(--flame-text)", fontWeight: "600" },
  ".cm-completionInfo": { padding: "8px 10px", maxWidth: "320px", fontFamily: "var(--font-ui)", lineHeight: "18px" },
  ".cm-diagnostic": { padding: "6px 10px", borderLeft: "none", fontFamily: "var(--font-ui)", lineHeight: "18px", maxWidth: "420px" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--faulted-solid)" },
  ".cm-diagnostic-warning": { borderLeft: "3px solid var(--waiting-solid)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--faulted-solid) 1px", textUnderlineOffset: "4px" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--waiting-solid) 1px", textUnderlineOffset: "4px" },
  ".cm-lint-marker": { width: "8px", height: "8px", marginTop: "6px", borderRadius: "50%", content: '""' },
  ".cm-lint-marker-error": { background: "var(--faulted-solid)" },
  ".cm-lint-marker-warning": { background: "var(--waiting-solid)" },
  ".cm-gutter-lint": { width: "14px" },
  ".cm-panels": { background: "var(--sunken)", color: "var(--text)", borderTop: "1px solid var(--line)", fontFamily: "var(--font-ui)" },
  ".cm-panel.cm-search": { padding: "8px 12px" },
  ".cm-textfield": { background: "var(--surface)", border: "1px solid var(--control-line)", borderRadius: "5px", padding: "3px 8px" },
  ".cm-button": { background: "var(--surface)", backgroundImage: "none", border: "1px solid var(--line-strong)", borderRadius: "5px", padding: "3px 9px" },
  ".cm-searchMatch": { background: "var(--diff-conflict)" },
  ".cm-searchMatch-selected": { background: "var(--diff-add-strong)" },
});

/** `${ ... }` is a runtime expression and looks like one, whatever the language says it is. */
const expressions = new MatchDecorator({ regexp: /\$\{[^}\n]*\}/g, decoration: Decoration.mark({ class: "cm-expression" }) });

const expressionPlugin = ViewPlugin.fromClass(
  class {
    marks: DecorationSet;
    constructor(view: EditorView) {
      this.marks = expressions.createDeco(view);
    }
    update(update: ViewUpdate): void {
      this.marks = expressions.updateDeco(update, this.marks);
    }
  },
  { decorations: (plugin) => plugin.marks },
);

const languages: Record<Language, () => Extension> = { yaml, json };

/** Tab moves on after Escape, so that the keyboard is not caught in the editor. */
function keys(onsubmit: () => void): Extension {
  return keymap.of([
    { key: "Mod-Enter", run: () => (onsubmit(), true) },
    ...closeBracketsKeymap,
    ...defaultKeymap.filter((binding) => binding.key !== "Mod-Enter"),
    ...searchKeymap,
    ...historyKeymap,
    ...foldKeymap,
    ...completionKeymap,
    ...lintKeymap.filter((binding) => binding.key !== "F8"),
    indentWithTab,
  ]);
}

export function createEditor(options: EditorOptions): EditorView {
  const state = EditorState.create({
    doc: options.text,
    extensions: [
      lineNumbers(),
      highlightActiveLineGutter(),
      lintGutter(),
      foldGutter(),
      history(),
      drawSelection(),
      indentOnInput(),
      indentUnit.of("  "),
      EditorState.tabSize.of(2),
      bracketMatching(),
      closeBrackets(),
      autocompletion(options.completion ? { override: [options.completion], icons: false } : { icons: false }),
      highlightActiveLine(),
      highlightSelectionMatches(),
      languages[options.language](),
      expressionPlugin,
      syntaxHighlighting(colours),
      look,
      EditorView.contentAttributes.of({ "aria-label": options.label, tabindex: "0", spellcheck: "false", autocorrect: "off" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) options.onchange(update.state.doc.toString());
      }),
      keys(options.onsubmit),
    ],
  });
  return new EditorView({ state, parent: options.root, root: options.root });
}

/** The offset of a line and column, kept inside the text. */
function offset(state: EditorState, line: number, column: number): number {
  const at = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
  return Math.min(at.to, at.from + Math.max(0, column - 1));
}

/** Shows these problems instead of those before. */
export function setProblems(view: EditorView, problems: readonly EditorProblem[]): void {
  const diagnostics = problems.map((problem): Diagnostic => {
    const from = offset(view.state, problem.line, problem.column);
    const to = Math.max(from, offset(view.state, problem.endLine, problem.endColumn));
    return { from, to, severity: problem.severity, message: problem.hint ? `${problem.message}. ${problem.hint}` : problem.message };
  });
  view.dispatch(setDiagnostics(view.state, diagnostics));
}

/** Puts the cursor at a line and column and shows it. */
export function goTo(view: EditorView, line: number, column: number): void {
  const at = offset(view.state, line, column);
  view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
  view.focus();
}
