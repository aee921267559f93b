// The tables of requests: a click on a heading sorts the rows, and a click on a name opens the charts of the row.

/** Turn the headings into sort buttons. The first click sorts numbers descending and texts ascending. */
function makeSortable(table) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, position) => {
    if (position === headings.length - 1) return;
    const button = element("button", "sort", heading.textContent);
    button.type = "button";
    button.title = heading.title;
    heading.removeAttribute("title");
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const isNumber = heading.classList.contains("num");
      const before = heading.getAttribute("aria-sort");
      const ascending = before ? before === "descending" : !isNumber;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortRows(table, position, isNumber, ascending);
    });
  });
}

function sortRows(table, position, isNumber, ascending) {
  const body = table.querySelector("tbody.sorted");
  const pairs = [...body.querySelectorAll("tr.row")].map((row) => [row, row.nextElementSibling]);
  const key = (row) => (isNumber ? Number(row.cells[position].dataset.sort) : row.cells[position].textContent.trim());
  const compare = (a, b) => (isNumber ? a - b : a.localeCompare(b));
  pairs.sort(([a], [b]) => (ascending ? 1 : -1) * compare(key(a), key(b)));
  body.append(...pairs.flat());
}

const searchableRows = 12;

/** Add a search box above a table with many rows. It shows the rows whose name or group contains all words. */
function makeSearchable(table) {
  const rows = [...table.querySelectorAll("tbody.sorted tr.row")];
  if (rows.length <= searchableRows) return;
  const label = element("label", "find", "Search ");
  const box = element("input");
  box.type = "search";
  const found = element("output");
  label.append(box, found);
  table.parentElement.before(label);
  const texts = rows.map((row) => `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase());
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/);
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts[index].includes(word));
      row.nextElementSibling.hidden = row.hidden;
    });
    found.textContent = box.value ? `${formatCount(rows.filter((row) => !row.hidden).length)} of ${formatCount(rows.length)}` : "";
  });
}

const opened = new Map();

/** Turn the name of a row into a button that shows or hides the row's charts. */
function makeExpandable(row) {
  const detail = row.nextElementSibling;
  const button = element("button", "expand");
  button.type = "button";
  const name = element("span");
  name.append(...row.cells[0].childNodes);
  button.append(element("span", "chevron"), name);
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-controls", detail.id);
  button.title = row.cells[0].title || "Show the charts of this request";
  row.cells[0].replaceChildren(button);
  button.addEventListener("click", () => {
    setOpen(row, !row.classList.contains("opened"));
    viewChanged();
  });
}

/** Show or hide the charts of a row. */
function setOpen(row, open) {
  if (row.classList.contains("opened") === open) return;
  const index = Number(row.dataset.scope);
  const detail = row.nextElementSibling;
  row.classList.toggle("opened", open);
  detail.classList.toggle("open", open);
  row.querySelector(".expand").setAttribute("aria-expanded", String(open));
  if (open) openCharts(index, detail.querySelector(".mini"));
  else closeCharts(index);
}

function openCharts(index, host) {
  const scope = scopeData(index);
  const options = { height: 170, log: false };
  const wide = element("div");
  const narrow = element("div");
  host.append(wide, narrow);
  const made = [responseChart(wide, scope, options), rateChart(wide, scope, { height: 120 })];
  made.push(spectrumChart(narrow, scope, { height: scope.failure ? 170 : 260 }));
  if (scope.failure) made.push(failureTimeChart(narrow, scope, { height: 120 }));
  opened.set(index, made.filter(Boolean));
}

function closeCharts(index) {
  opened.get(index).forEach((chart) => chart.destroy());
  opened.delete(index);
  document.querySelector(`.mini[data-scope="${index}"]`).replaceChildren();
}
