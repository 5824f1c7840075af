//! What is wrong with a JSON text, with line and column, in the same words in every engine.

export interface JsonProblem {
  message: string;
  line: number;
  column: number;
  offset: number;
}

/** The first problem of a text, or nothing when it is JSON. */
export function jsonProblem(text: string): JsonProblem | null {
  const reader = new Reader(text);
  const wrong = reader.document();
  if (wrong === null) return null;
  const before = text.slice(0, wrong.offset).split("\n");
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  return { message: `Line ${line}, column ${column}: ${wrong.message}`, line, column, offset: wrong.offset };
}

class Wrong extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

const DEPTH_MAX = 500;

class Reader {
  at = 0;
  constructor(readonly text: string) {}

  document(): Wrong | null {
    try {
      this.#value(0);
      this.#space();
      if (this.at < this.text.length) throw new Wrong(`nothing may follow the value, but ${this.#here()} does`, this.at);
      return null;
    } catch (thrown) {
      if (thrown instanceof Wrong) return thrown;
      throw thrown;
    }
  }

  #space(): void {
    while (/[ \t\n\r]/.test(this.text.charAt(this.at))) this.at += 1;
  }

  #here(): string {
    const found = this.text.charAt(this.at);
    return found === "" ? "the end of the text" : `"${found}"`;
  }

  #value(depth: number): void {
    if (depth > DEPTH_MAX) throw new Wrong(`more than ${DEPTH_MAX} levels of nesting`, this.at);
    this.#space();
    const start = this.text.charAt(this.at);
    if (start === "{") this.#object(depth);
    else if (start === "[") this.#list(depth);
    else if (start === '"') this.#string();
    else this.#word();
  }

  #object(depth: number): void {
    this.at += 1;
    this.#space();
    if (this.text.charAt(this.at) === "}") {
      this.at += 1;
      return;
    }
    for (;;) {
      this.#space();
      if (this.text.charAt(this.at) !== '"') throw new Wrong(`expected a key in double quotes, found ${this.#here()}`, this.at);
      this.#string();
      this.#expect(":", "a colon after the key");
      this.#value(depth + 1);
      if (this.#endOr("}")) return;
    }
  }

  #list(depth: number): void {
    this.at += 1;
    this.#space();
    if (this.text.charAt(this.at) === "]") {
      this.at += 1;
      return;
    }
    do this.#value(depth + 1);
    while (!this.#endOr("]"));
  }

  /** Passes a comma and says no, or the closing sign and says yes. */
  #endOr(close: string): boolean {
    this.#space();
    const found = this.text.charAt(this.at);
    if (found !== "," && found !== close) throw new Wrong(`expected a comma or "${close}", found ${this.#here()}`, this.at);
    this.at += 1;
    return found === close;
  }

  #expect(sign: string, words: string): void {
    this.#space();
    if (this.text.charAt(this.at) !== sign) throw new Wrong(`expected ${words}, found ${this.#here()}`, this.at);
    this.at += 1;
  }

  #string(): void {
    const rest = /^"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/.exec(this.text.slice(this.at));
    if (!rest) throw new Wrong("the text in quotes is not closed or has a sign that must be escaped", this.at);
    this.at += rest[0].length;
  }

  #word(): void {
    const rest = /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/.exec(this.text.slice(this.at));
    if (!rest) throw new Wrong(`expected a value, found ${this.#here()}`, this.at);
    this.at += rest[0].length;
  }
}
