//! Numbers, times and sizes in words: tabular, with a unit, never rounded into a lie.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** "1 run", "3 runs". */
export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** "3 ms", "0.21 s", "13.2 s", "1 m 28 s", "2 h 03 m". */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / 60_000)} m ${Math.floor((ms % 60_000) / 1000)} s`;
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h ${String(Math.floor((ms % HOUR_MS) / 60_000)).padStart(2, "0")} m`;
  return `${Math.floor(ms / DAY_MS)} d ${Math.floor((ms % DAY_MS) / HOUR_MS)} h`;
}

/** A duration split into value and unit, for tiles. */
export function durationParts(ms: number): { value: string; unit: string } {
  const words = duration(ms).split(" ");
  if (words.length === 2) return { value: words[0] ?? "", unit: words[1] ?? "" };
  return { value: words.slice(0, 3).join(" "), unit: words.slice(3).join(" ") };
}

const two = (number: number) => String(number).padStart(2, "0");

/** "09:41:22" today, "14 Nov 09:41" in this year, "14 Nov 2024" before. */
export function when(moment: string, now = Date.now(), precise = true): string {
  const at = new Date(moment);
  const today = new Date(now);
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (at.toDateString() === today.toDateString()) return precise ? `${clock}:${two(at.getSeconds())}` : clock;
  const day = `${at.getDate()} ${at.toLocaleString("en-US", { month: "short" })}`;
  return at.getFullYear() === today.getFullYear() ? `${day} ${clock}` : `${day} ${at.getFullYear()}`;
}

/** A moment to come: "06:00" within a day, "22 Nov 06:00" later. */
export function soon(moment: string, now: number): string {
  const at = new Date(moment);
  if (at.getTime() - now < DAY_MS) return `${two(at.getHours())}:${two(at.getMinutes())}`;
  return when(moment, now, false);
}

/** A length that somebody chose: "1 s", "2.5 s", "10 min". */
export function span(ms: number): string {
  if (ms >= 1000 && ms < 60_000) return `${Number((ms / 1000).toFixed(2))} s`;
  if (ms >= 60_000 && ms % 60_000 === 0 && ms < HOUR_MS) return `${ms / 60_000} min`;
  return duration(ms);
}

/** The whole moment, for tooltips and facts: "Today 09:41:22.108". */
export function moment(text: string, now = Date.now()): string {
  const at = new Date(text);
  const ms = String(at.getMilliseconds()).padStart(3, "0");
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
  const today = at.toDateString() === new Date(now).toDateString();
  return today ? `Today ${clock}` : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}`;
}

/** "now", "4 s ago", "12 min ago", "3 h ago"; only in the status bar and beside "saved". */
export function ago(ms: number): string {
  if (ms < 1500) return "now";
  if (ms < 60_000) return `${Math.round(ms / 1000)} s ago`;
  if (ms < HOUR_MS) return `${Math.round(ms / 60_000)} min ago`;
  if (ms < DAY_MS) return `${Math.round(ms / HOUR_MS)} h ago`;
  return `${Math.round(ms / DAY_MS)} d ago`;
}

/** "412 B", "38 MB", "1.3 GB"; powers of 1,000. */
export function bytes(number: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = number;
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  const digits = value < 10 && at > 0 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[at]}`;
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return "0";
  const share = (part / whole) * 100;
  if (part < whole && share > 99.9) return "99.9";
  return Number.isInteger(share) ? String(share) : share.toFixed(1);
}

/** Cut in the middle, so that both ends of an id or path stay readable. */
export function middle(text: string, max: number): string {
  if (text.length <= max) return text;
  const head = Math.ceil((max - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (max - 1 - head))}`;
}

/** "chargeCard" to "Charge card"; what has spaces already stays. */
export function taskTitle(name: string): string {
  if (/\s/.test(name)) return name;
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/[-_]+/g, " ")
    .split(" ")
    .map((word) => (/^[A-Z]{2,}$/.test(word) ? word : word.toLowerCase()));
  const text = words.join(" ").trim();
  return text === "" ? name : text.charAt(0).toUpperCase() + text.slice(1);
}

/** Words as one would say them: "a, b and c". */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** A message as a sentence: its first word gets a capital, unless it is a name, a path or a piece of code. */
export function sentence(text: string): string {
  return /^[a-z]+(?=[\s,;:]|$)/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

/** A run's short name: ids of one second differ at the end, so the end is shown. */
export function shortId(id: string): string {
  const plain = id.replaceAll("-", "");
  return plain.length > 8 ? `r-${plain.slice(-6)}` : id;
}
