// The time range that all charts show.

/** Announce that the reader has changed the view in another way than by a zoom. */
const viewChanged = () => dispatchEvent(new Event("viewchange"));

const zoom = {
  full: [0, run.end_s],
  range: [0, run.end_s],
  listeners: new Set(),

  get isFull() {
    return this.range[0] === this.full[0] && this.range[1] === this.full[1];
  },

  /** The index of the grid to draw: 1 if the range has too many slots of the first grid, else 0. */
  get level() {
    const slots = (this.range[1] - this.range[0]) / grid.width_s;
    return run.grids.length > 1 && slots > run.readable_slots ? 1 : 0;
  },

  /** Show [from, to), adjusted to at least three slots within the run. */
  set(from, to) {
    const shortest = Math.min(this.full[1] - this.full[0], 3 * grid.width_s);
    const length = Math.min(Math.max(to - from, shortest), this.full[1] - this.full[0]);
    const middle = (from + to) / 2;
    const begin = Math.min(Math.max(middle - length / 2, this.full[0]), this.full[1] - length);
    this.range = [begin, begin + length];
    this.listeners.forEach((listener) => listener());
  },

  reset() {
    this.set(...this.full);
  },

  /** Multiply the length of the range by `factor`. The time `around` keeps its position; the default is the middle. */
  scale(factor, around = (this.range[0] + this.range[1]) / 2) {
    const [from, to] = this.range;
    this.set(around - (around - from) * factor, around + (to - around) * factor);
  },

  /** Move the range by a share of its length. */
  pan(share) {
    const by = (this.range[1] - this.range[0]) * share;
    const [from, to] = this.range;
    const bounded = Math.min(Math.max(by, this.full[0] - from), this.full[1] - to);
    this.set(from + bounded, to + bounded);
  },
};

/** Change the range by a key. Return false if the key has no meaning. */
function zoomByKey(event, around) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key === "+" || event.key === "=") zoom.scale(0.5, around);
  else if (event.key === "-") zoom.scale(2, around);
  else if (event.key === "Escape" || event.key === "0") zoom.reset();
  else if (event.key === "ArrowLeft" && event.shiftKey) zoom.pan(-0.25);
  else if (event.key === "ArrowRight" && event.shiftKey) zoom.pan(0.25);
  else return false;
  return true;
}

function makeZoomToolbar() {
  const tools = document.createElement("div");
  tools.className = "zoom";
  tools.setAttribute("role", "toolbar");
  tools.setAttribute("aria-label", "Zoom of all charts");
  const button = (text, name, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-label", name);
    made.title = name;
    made.addEventListener("click", act);
    tools.append(made);
    return made;
  };
  button("−", "Zoom out", () => zoom.scale(2));
  button("+", "Zoom in", () => zoom.scale(0.5));
  button("←", "Earlier", () => zoom.pan(-0.5));
  button("→", "Later", () => zoom.pan(0.5));
  const whole = button("Whole run", "Show the whole run", () => zoom.reset());
  const shown = document.createElement("output");
  shown.className = "shown";
  tools.append(shown);
  const update = () => {
    whole.disabled = zoom.isFull;
    const { width } = run.grids[zoom.level];
    shown.textContent = `${formatOffset(zoom.range[0])} – ${formatOffset(Math.ceil(zoom.range[1]))} of ${formatOffset(Math.ceil(run.end_s))}, ${width} per point`;
  };
  zoom.listeners.add(update);
  update();
  return tools;
}
