//! Sets the theme before the first paint, so that nothing flashes. Runs before any bundle.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("theme");
  } catch {
    // A window without storage follows the system.
  }
  var dark = matchMedia("(prefers-color-scheme: dark)").matches;
  var theme = choice === "light" || choice === "dark" ? choice : dark ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
})();
