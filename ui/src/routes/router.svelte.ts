//! Where the window is: the path and query after `#`. A page is a pure function of it.

export interface Place {
  path: string;
  segments: string[];
  query: URLSearchParams;
}

function read(): Place {
  const raw = window.location.hash.replace(/^#/, "") || "/home";
  const [path = "/home", query = ""] = raw.split("?", 2);
  const segments = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { path, segments, query: new URLSearchParams(query) };
}

let place = $state.raw(read());
window.addEventListener("hashchange", () => (place = read()));

/** A guard may refuse to leave the page; it returns whether leaving is fine. */
let guard: ((to: string) => boolean) | null = null;

export const router = {
  get place(): Place {
    return place;
  },
  /** Asks before the page is left; the returned function takes the question back. */
  ask(leave: (to: string) => boolean): () => void {
    guard = leave;
    return () => {
      if (guard === leave) guard = null;
    };
  },
};

/** An address for `href`. */
export function address(...segments: string[]): string {
  return `#/${segments.map(encodeURIComponent).join("/")}`;
}

/** Goes to an address such as `#/runs/1`. */
export function go(to: string, options: { replace?: boolean } = {}): void {
  const target = to.startsWith("#") ? to : `#${to}`;
  if (guard && !guard(target)) return;
  if (options.replace) window.location.replace(target);
  else window.location.hash = target;
}

/** Changes the query of this page without a new step in the history. */
export function setQuery(changes: Record<string, string | null>): void {
  const query = new URLSearchParams(place.query);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString();
  window.history.replaceState(null, "", `#${place.path}${text ? `?${text}` : ""}`);
  place = read();
}
