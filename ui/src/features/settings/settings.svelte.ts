//! What a person set, and what the window does about it at once.
import { setSingleKeys } from "$features/actions/actions.svelte";
import { done, failed } from "$components/toasts.svelte";
import { commands, Resource, viewOf, type Settings, type SettingsPatch, type Theme } from "$ipc";

export const settings = new Resource<Settings>(() => commands.settingsGet());

const prefersDark = () => window.matchMedia("(prefers-color-scheme: dark)");

/** Shows the theme and keeps it for `theme.js`, which runs before the next first paint. */
function applyTheme(theme: Theme): void {
  const resolved = theme === "system" ? (prefersDark().matches ? "dark" : "light") : theme;
  document.documentElement.dataset["theme"] = resolved;
  window.localStorage.setItem("theme", theme);
}

export function applySettings(now: Settings): void {
  applyTheme(now.theme);
  setSingleKeys(now.singleKeys);
}

if (typeof window.matchMedia === "function") {
  prefersDark().addEventListener("change", () => {
    if (settings.data?.theme === "system") applyTheme("system");
  });
}

/** Changes settings at once and offers the way back. */
export async function change(patch: SettingsPatch, said: string): Promise<void> {
  const before = settings.data;
  try {
    const now = await commands.settingsSet({ patch });
    settings.put(now);
    applySettings(now);
    const back = before ? previous(before, patch) : null;
    done(said, back ? { label: "Undo", run: () => change(back, "Changed back") } : undefined);
  } catch (thrown) {
    failed(`The setting was not changed: ${viewOf(thrown).detail}`);
  }
}

function previous(before: Settings, patch: SettingsPatch): SettingsPatch {
  return Object.fromEntries(Object.keys(patch).map((key) => [key, before[key as keyof SettingsPatch]]));
}
