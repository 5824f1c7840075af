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

export const router = {
  get place(): Place {
    return place;
  },
};

/** An address for `href`. */
export function address(...segments: string[]): string {
  return `#/${segments.map(encodeURIComponent).join("/")}`;
}

/** Goes to an address such as `#/runs/1`. */
export function go(to: string): void {
  window.location.hash = to;
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
