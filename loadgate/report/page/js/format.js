// How figures are written, as in the tables.

function grouped(value, decimals) {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function formatMs(value) {
  if (value === null || value === undefined) return "–";
  return `${grouped(value, value < 10 ? 2 : value < 1000 ? 1 : 0)} ms`;
}

function formatRate(value) {
  if (value === null || value === undefined) return "–";
  return `${grouped(value, value === 0 || value >= 100 ? 0 : value < 1 ? 2 : 1)}/s`;
}

function formatCount(value) {
  return value === null || value === undefined ? "–" : grouped(value, 0);
}

function formatMib(value) {
  return value === null || value === undefined ? "–" : `${grouped(value, 1)} MiB`;
}

/** Seconds since the start of the run, as in 0:07, 12:30 or 1:02:03. */
function formatOffset(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** The moment on the clock, UTC. */
function formatClock(seconds) {
  return `${new Date((run.started_s + seconds) * 1000).toISOString().slice(11, 19)} UTC`;
}

/** A number on an axis: no more digits than it needs. */
function formatTick(value) {
  if (value === null || value === undefined) return "";
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

/** The width of a slot, as in 5 s or 2 min. */
function formatWidth(seconds) {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${formatTick(seconds / 60)} min` : `${formatTick(seconds / 3600)} h`;
}

/** A limit as it was written: 500 ms, and over which window. */
function formatLimit(limit) {
  return `${formatTick(limit.ms)} ms${limit.over_s ? ` over ${limit.over_s} s` : ""}`;
}
