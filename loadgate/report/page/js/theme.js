// The light and dark themes, chosen by the system or the reader, and their colours as values for canvases.

const themes = ["auto", "light", "dark"];
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const themeListeners = [];
const colourCache = new Map();
const colourProbe = document.createElement("span");
colourProbe.hidden = true;
document.body.append(colourProbe);

/** Return the current value of a colour variable of the style sheet, as in colour("p95"). */
function colour(name) {
  if (!colourCache.has(name)) {
    colourProbe.style.color = `var(--${name})`;
    colourCache.set(name, getComputedStyle(colourProbe).color);
  }
  return colourCache.get(name);
}

/** Return a colour in the form rgb(r, g, b) with little opacity. */
const faint = (solid) => solid.replace("rgb(", "rgba(").replace(")", ", 0.4)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : systemIsDark.matches;
}

function onThemeChange(listener) {
  themeListeners.push(listener);
}

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  themeChanged();
}

function themeChanged() {
  colourCache.clear();
  themeListeners.forEach((listener) => listener());
}

function themeButton() {
  const button = document.createElement("button");
  let chosen = 0;
  const label = () => {
    button.textContent = `Theme: ${themes[chosen]}`;
  };
  button.type = "button";
  button.addEventListener("click", () => {
    chosen = (chosen + 1) % themes.length;
    setTheme(themes[chosen]);
    label();
  });
  label();
  return button;
}

systemIsDark.addEventListener("change", themeChanged);

// Paper is white, so print with the light theme.
let themeBeforePrint;
addEventListener("beforeprint", () => {
  themeBeforePrint = document.documentElement.dataset.theme || "auto";
  setTheme("light");
  fitCharts(true);
});
addEventListener("afterprint", () => {
  setTheme(themeBeforePrint);
  fitCharts(false);
});

/** Redraw the charts for the width of the paper or, after printing, of the window. */
function fitCharts(isPrinting) {
  document.documentElement.classList.toggle("printing", isPrinting);
  for (const chart of charts) chart.fit();
}
