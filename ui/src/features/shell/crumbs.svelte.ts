//! The breadcrumb. A page that knows its own name says it; until then its place is named.
import { address, router } from "../../routes/router.svelte";
import { app } from "./app.svelte";
import { FOOT, PLACES } from "./nav";

export interface Crumb {
  label: string;
  to?: string;
}

let own = $state.raw<Crumb[] | null>(null);

/** Names the page while the calling component lives. */
export function useCrumbs(read: () => Crumb[]): void {
  $effect(() => {
    own = read();
    return () => (own = null);
  });
}

export function crumbs(): Crumb[] {
  if (own) return own;
  const id = router.place.segments[0] ?? "home";
  const place = [...PLACES, ...FOOT].find((known) => known.id === id);
  const here: Crumb = { label: place?.label ?? "Not found" };
  const workspace = app.data?.workspaceName;
  return workspace ? [{ label: workspace, to: address("home") }, here] : [here];
}
