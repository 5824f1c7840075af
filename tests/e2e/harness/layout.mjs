// What of a page does not fit where it stands, in the size that the window has.

/** One line for each part of the page that runs out of what it is in, is cut off with no mark, or lies on another. */
export const misfits = (browser) => browser.execute(look);

/** Runs in the page. */
function look() {
  /** What is less is the edge of a letter. */
  const SLACK_PX = 1.5;
  const found = [];
  const main = document.querySelector("main");
  const parts = [...main.querySelectorAll("*")].filter((part) => !part.parentElement.closest("svg") && !part.closest(".sr-only"));
  const styles = new Map();
  const styleOf = (part) => styles.get(part) ?? styles.set(part, getComputedStyle(part)).get(part);
  const nameOf = (part) => {
    const marked = part.closest("[data-testid]");
    const text = (part.textContent || part.getAttribute("aria-label") || "").trim().replace(/\s+/g, " ");
    return `${part.tagName.toLowerCase()} ${JSON.stringify(text.slice(0, 40))} of ${marked?.dataset.testid ?? "the page"}`;
  };
  const clips = (part) => styleOf(part).overflowX !== "visible";
  /** Code keeps its lines and is scrolled. */
  const isCode = (part) => styleOf(part).whiteSpace.startsWith("pre") && !styleOf(part).whiteSpace.startsWith("pre-");
  /** Out of the flow on purpose. */
  const apart = (part) => styleOf(part).position === "absolute" || styleOf(part).position === "fixed";
  const holds = (part) => [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");

  /** What can be seen of a box, for whatever it is in cuts it off. */
  function seen(part, box) {
    let { left, right, top, bottom } = box;
    for (let around = part; around && around !== main.parentElement; around = around.parentElement) {
      if (around.tagName === "svg" || !clips(around)) continue;
      const edge = around.getBoundingClientRect();
      left = Math.max(left, edge.left);
      right = Math.min(right, edge.right);
      top = Math.max(top, edge.top);
      bottom = Math.min(bottom, edge.bottom);
    }
    return right - left > 0 && bottom - top > 0 ? { part, left, right, top, bottom } : null;
  }

  const boxes = [];
  for (const part of parts) {
    const box = part.getBoundingClientRect();
    if (box.width === 0 || box.height === 0 || styleOf(part).visibility === "hidden") continue;
    const around = part.parentElement;
    if (!apart(part) && !clips(around) && !isCode(part)) {
      const edge = around.getBoundingClientRect();
      const pull = Math.max(0, -parseFloat(styleOf(part).marginRight), -parseFloat(styleOf(part).marginLeft));
      const out = Math.max(box.right - edge.right, edge.left - box.left) - pull;
      if (out > SLACK_PX && styleOf(around).display !== "inline") found.push(`${nameOf(part)} runs out of its place by ${Math.round(out)} px`);
    }
    if (part.tagName === "svg") boxes.push(seen(part, box));
    if (!holds(part)) continue;
    const range = document.createRange();
    for (const node of part.childNodes) {
      if (node.nodeType !== 3 || node.data.trim() === "") continue;
      range.selectNodeContents(node);
      for (const line of range.getClientRects()) {
        const box = seen(part, line);
        if (box) boxes.push(box);
        // With no ellipsis nothing says that there is more.
        for (let at = part; at && at !== main && !apart(at); at = at.parentElement) {
          if (styleOf(at).overflowX !== "hidden") continue;
          if (styleOf(at).textOverflow === "ellipsis") break;
          const edge = at.getBoundingClientRect();
          const inSight = line.top < edge.bottom - SLACK_PX && line.bottom > edge.top + SLACK_PX;
          if (inSight && line.right > edge.right + SLACK_PX) found.push(`${nameOf(part)} is cut off by ${Math.round(line.right - edge.right)} px`);
          break;
        }
      }
    }
  }

  const sorted = boxes.filter(Boolean).sort((one, other) => one.left - other.left);
  for (const [at, one] of sorted.entries()) {
    for (let next = at + 1; next < sorted.length && sorted[next].left < one.right - SLACK_PX; next += 1) {
      const other = sorted[next];
      const wide = Math.min(one.right, other.right) - other.left;
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (wide <= SLACK_PX || high <= 3 || one.part.contains(other.part) || other.part.contains(one.part)) continue;
      found.push(`${nameOf(other.part)} lies on ${nameOf(one.part)} by ${Math.round(wide)} px`);
    }
  }
  return [...new Set(found)];
}
