//! Svelte's own settings: runes everywhere, styles only as files.
export default {
  compilerOptions: { runes: true, css: "external" },
};
