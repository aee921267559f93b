// Create the charts, the interactive tables and the theme button.

document.querySelectorAll(".js-only").forEach((part) => {
  part.hidden = false;
});
document.getElementById("tools").append(themeButton());
document.getElementById("share").append(copyButton("Copy as Markdown", run.summary), copyButton("Copy command", run.command));
document.querySelectorAll("[data-find]").forEach((place) => {
  const command = `grep -rF -e ${shellQuoted(place.textContent.replace(/^(trace|request) /, ""))} ${shellQuoted(run.logs)}`;
  const button = copyButton("Copy grep", command);
  button.title = command;
  place.parentElement.append(" ", button);
});

/**
 * Create the charts of a scope and their toolbar. A change of the scope or the axis creates the charts again.
 *
 * Return the controls: scope() is the chosen scope, "" for all requests.
 */
function makeCharts(host) {
  const bar = element("div", "toolbar");
  const where = element("span", "where");
  const choice = element("select");
  const log = element("button", "", "Logarithmic");
  log.type = "button";
  log.setAttribute("aria-pressed", "false");
  run.scopes.forEach((scope, index) => {
    if (scope.kind === "overall" || scope.kind === "group") choice.add(new Option(scope.name, index));
  });
  const label = element("label", "", "Show ");
  label.append(choice);
  bar.append(label, log, makeZoomToolbar(), where);
  const body = element("div");
  const resources = element("div");
  host.append(bar, body, resources);
  host.append(
    element(
      "p",
      "soft small help",
      "Drag across a chart to zoom all charts. Double-click to show the whole run. If a chart has the focus: ← and → move the cursor, Shift+← and Shift+→ move the time range, + and − zoom, Esc shows the whole run.",
    ),
  );

  const onCursor = (seconds) => {
    where.textContent = isKnown(seconds) ? `${formatSecond(seconds)} · ${formatClock(Math.max(0, seconds))}` : "";
  };
  let made = [];
  const build = () => {
    made.forEach((chart) => chart.destroy());
    const scope = scopeData(Number(choice.value));
    const options = { log: isLog(), labelled: true, onCursor };
    const latencies = [() => groupsChart(body, options), () => responseChart(body, scope, { ...options, height: 230 })];
    const load = [() => rateChart(body, scope, { height: 170 }), () => inFlightChart(body, scope)];
    // What an open model proves depends on its load, so this comes first.
    const first = run.planned ? [...load, ...latencies] : [...latencies, ...load];
    made = [
      ...first.map((make) => make()),
      usersChart(body),
      heatChart(body, scope, options),
      spectrumChart(body, scope, options),
    ].filter(Boolean);
  };
  const isLog = () => log.getAttribute("aria-pressed") === "true";
  choice.addEventListener("change", () => {
    build();
    viewChanged();
  });
  log.addEventListener("click", () => {
    log.setAttribute("aria-pressed", String(!isLog()));
    build();
    viewChanged();
  });
  build();
  // The resources belong to all requests, so a change of the scope does not change them.
  run.resources.forEach((raw) => resourceChart(resources, raw));
  return {
    isLog,
    scope: () => (choice.selectedIndex > 0 ? choice.selectedOptions[0].text : ""),
    set(scope, withLog) {
      choice.selectedIndex = Math.max(0, [...choice.options].findIndex((option) => option.text === scope));
      log.setAttribute("aria-pressed", String(withLog));
      build();
    },
  };
}

const chartsHost = document.getElementById("charts");
const controls = chartsHost ? makeCharts(chartsHost) : null;

document.querySelectorAll("table.sortable").forEach((table) => {
  makeSortable(table);
  makeSearchable(table);
});
document.querySelectorAll("tr.row").forEach(makeExpandable);
followView(controls);
onThemeChange(() => charts.forEach((chart) => chart.redraw()));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !zoom.isFull) zoom.reset();
});
document.documentElement.dataset.ready = "true";
performance.mark("ready");
