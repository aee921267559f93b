// What is left when the page's script cannot run: the tables, and a sentence that says so.

document.documentElement.classList.add("js");

function withoutCharts(error) {
  document.documentElement.classList.remove("js");
  document.getElementById("no-charts").hidden = false;
  throw error;
}
