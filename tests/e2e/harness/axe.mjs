// What axe finds in the page that a browser shows.
import axe from "axe-core";

/** Every rule, with one of WCAG 2.2 that axe leaves off by itself: a target has 24 px or room around it. */
const ALL = { rules: { "target-size": { enabled: true } } };

/** The rules that see colours. */
const COLOURS = { runOnly: ["color-contrast", "link-in-text-block"] };

/**
 * One line for each part of the page that breaks a rule: the theme, the rule, the part, and what is wrong there. The page
 * changes to the themes at once, one after the other. A theme is colours alone, so the first sees every rule, and the
 * others those of colours in `part`, a selector.
 */
export const violationsIn = (browser, themes, part) =>
  found(
    browser,
    themes.map((theme, at) => (at === 0 ? { theme, options: ALL } : { theme, options: COLOURS, part })),
  );

async function found(browser, looks) {
  const lines = await browser.executeAsync(look, looks);
  if (lines) return lines;
  // The page was loaded anew.
  await browser.execute(axe.source);
  return browser.executeAsync(look, looks);
}

/** Runs in the page. */
function look(looks, done) {
  if (!window.axe) return done(null);
  const lineOf = ({ id }, { target, failureSummary }) =>
    `${id} at ${target.join(" ")}: ${failureSummary.replace(/\s+/g, " ")}`;
  const lines = async ({ theme, options, part }) => {
    document.documentElement.dataset.theme = theme;
    const changes = document.getAnimations().filter((change) => change instanceof CSSTransition);
    await Promise.allSettled(changes.map((change) => change.finished));
    // The isolation frame is the shell's: it holds no content and is never shown.
    const context = { include: [part ?? "html"], exclude: ["#__tauri_isolation__"] };
    const { violations } = await window.axe.run(context, { ...options, resultTypes: ["violations"] });
    return violations.flatMap((violation) =>
      violation.nodes.map((node) => `${theme}: ${lineOf(violation, node)}`),
    );
  };
  const all = async () => {
    const found = [];
    for (const one of looks) found.push(...(await lines(one)));
    return found;
  };
  all().then(done, (error) => done([`axe failed: ${error}`]));
}
