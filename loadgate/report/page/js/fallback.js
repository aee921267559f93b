// If the page's script cannot run, show a note. The tables remain.

document.documentElement.classList.add("js");

function showWithoutCharts(error) {
  document.documentElement.classList.remove("js");
  document.getElementById("no-charts").hidden = false;
  throw error;
}
