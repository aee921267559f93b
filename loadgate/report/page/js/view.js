// The view in the address of the page: the time range, the scope, the axis and the open rows. A link restores it.

const writeAfterMs = 200;

/** Return the view in an address. Everything that is unknown or makes no sense is ignored. */
function viewIn(hash) {
  const found = new URLSearchParams(hash.slice(1));
  const [from, to] = ["from", "to"].map((key) => Number.parseFloat(found.get(key)));
  return {
    range: from < to && from < run.end_s && to > 0 ? [from, to] : zoom.full,
    scope: found.get("scope"),
    isLog: found.get("axis") === "log",
    rows: new Set(found.getAll("row")),
  };
}

/** Return the name of a row in the address. Names of requests are unique within their group. */
const rowName = (row) => `${row.cells[1].textContent}/${run.scopes[Number(row.dataset.scope)].name}`;

/** Return the address of the view, "" if nothing was changed. `controls` are those of the charts, if there are any. */
function hashOf(controls) {
  const view = new URLSearchParams();
  if (!zoom.isFull) zoom.range.forEach((seconds, index) => view.set(["from", "to"][index], Math.round(seconds * 100) / 100));
  if (controls && controls.scope()) view.set("scope", controls.scope());
  if (controls && controls.isLog()) view.set("axis", "log");
  document.querySelectorAll("tr.row.opened").forEach((row) => view.append("row", rowName(row)));
  return view.size ? `#${view}` : "";
}

/** Keep the address and the view the same. The address of a section, such as #rules, changes no view. */
function followView(controls) {
  let timer;
  const isView = () => location.hash.includes("=");
  const write = () => {
    const hash = hashOf(controls);
    // Without a hash, the address would become that of the folder.
    if (hash || isView()) history.replaceState(null, "", hash || location.pathname + location.search);
  };
  const restore = () => {
    if (!isView()) return;
    const view = viewIn(location.hash);
    zoom.set(...view.range);
    if (controls) controls.set(view.scope, view.isLog);
    const rows = [...document.querySelectorAll("tr.row")];
    rows.forEach((row) => setOpen(row, view.rows.has(rowName(row))));
    const first = document.querySelector("tr.row.opened");
    if (first) first.scrollIntoView({ block: "center" });
  };
  restore();
  addEventListener("hashchange", restore);
  const changed = () => {
    // Browsers refuse many changes of the address within a short time.
    clearTimeout(timer);
    timer = setTimeout(write, writeAfterMs);
  };
  zoom.listeners.add(changed);
  addEventListener("viewchange", changed);
}
