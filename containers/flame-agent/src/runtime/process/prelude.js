// What a script finds beside the language itself: console, process, and nothing of this machine.
(() => {
  const { write, exit, given } = globalThis.__host;
  delete globalThis.__host;
  const json = (value) => {
    try {
      return JSON.stringify(value) ?? String(value);
    } catch {
      return String(value);
    }
  };
  const shown = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof Error) return `${value}\n${value.stack ?? ""}`.trimEnd();
    return typeof value === "object" && value !== null ? json(value) : String(value);
  };
  const line = (fd) => (...values) => write(fd, `${values.map(shown).join(" ")}\n`);
  const stream = (fd) => ({
    fd,
    write: (text) => {
      write(fd, String(text));
      return true;
    },
  });
  globalThis.console = { log: line(1), info: line(1), debug: line(1), warn: line(2), error: line(2) };
  globalThis.process = {
    argv: ["js", "script.js", ...given.arguments],
    env: given.environment,
    stdin: { fd: 0 },
    stdout: stream(1),
    stderr: stream(2),
    exit: (code = 0) => {
      exit(code);
      throw new Error("the script has ended");
    },
  };
})();
