//! The keys of each page, for the list in Settings. The pages themselves register them when they are open.

export const PAGE_KEYS: { title: string; rows: { label: string; keys: string }[] }[] = [
  {
    title: "Lists",
    rows: [
      { label: "Next", keys: "j" },
      { label: "Previous", keys: "k" },
      { label: "Open", keys: "Enter" },
      { label: "New", keys: "n" },
      { label: "Filter", keys: "/" },
    ],
  },
  {
    title: "A run",
    rows: [
      { label: "Next and previous task", keys: "ArrowDown ArrowUp" },
      { label: "Next and previous attempt", keys: "ArrowRight ArrowLeft" },
      { label: "Retry from the fault", keys: "r" },
      { label: "Replay with edited input", keys: "e" },
      { label: "Copy its id", keys: "y" },
      { label: "Show the whole run", keys: "0" },
    ],
  },
  {
    title: "A workflow",
    rows: [
      { label: "Save", keys: "$mod+s" },
      { label: "Run with input", keys: "$mod+Shift+Enter" },
      { label: "Next problem", keys: "F8" },
    ],
  },
  {
    title: "Help",
    rows: [
      { label: "Next page", keys: "j" },
      { label: "Previous page", keys: "k" },
      { label: "Open the example as a workflow", keys: "n" },
    ],
  },
  {
    title: "Dead letters",
    rows: [
      { label: "Select", keys: "x" },
      { label: "Select those with the same error", keys: "Shift+X" },
      { label: "Send again", keys: "r" },
      { label: "Discard", keys: "d" },
    ],
  },
];
