// Number formats. They are the same as in loadgate/units.py, so that charts and tables agree.

const unknown = "-";
const grouped = (options) => new Intl.NumberFormat("en-US", options);
const wholeFormat = grouped({ maximumFractionDigits: 0 });
const exactFormat = grouped({ maximumSignificantDigits: 15 });
/** Three significant digits, and all digits before the decimal point. */
const figureFormat = grouped({
  minimumSignificantDigits: 3,
  maximumSignificantDigits: 3,
  maximumFractionDigits: 0,
  roundingPriority: "morePrecision",
});

const isKnown = (value) => value !== null && value !== undefined;

/** Format a measured number. */
function formatFigure(value) {
  if (!isKnown(value)) return unknown;
  return value === 0 ? "0" : figureFormat.format(value);
}

const withUnit = (unit) => (value) => (isKnown(value) ? `${formatFigure(value)}${unit}` : unknown);
const formatMs = withUnit(" ms");
const formatRate = withUnit("/s");
const formatSeconds = withUnit(" s");
const formatCores = withUnit(" cores");

function formatCount(value) {
  return isKnown(value) ? wholeFormat.format(value) : unknown;
}

/** Format a count or a mean of counts. A whole number has no decimals. */
function formatMeanCount(value) {
  return Number.isInteger(value) ? formatCount(value) : formatFigure(value);
}

function formatBytes(value) {
  if (!isKnown(value)) return unknown;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  for (; value >= 999.5 && step < units.length - 1; step += 1) value /= 1000;
  return `${step ? formatFigure(value) : formatCount(value)} ${units[step]}`;
}

/** Format an exact number, such as an axis label, with as few digits as possible. */
function formatTick(value) {
  return isKnown(value) ? exactFormat.format(value) : "";
}

/** Format a percentile for the axis of the spectrum. */
function formatPercentile(percent) {
  return `${formatTick(Number(percent.toFixed(3)))} %`;
}

/** Format seconds since the start of the run, as in 0:07, 12:30 or 1:02:03. */
function formatOffset(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Format the start of a slot as the second that is nearest on the axis. */
const formatSecond = (seconds) => formatOffset(Math.round(seconds));

/** Format a time of the run as the time of day in UTC. */
function formatClock(seconds) {
  return `${new Date((run.started_s + seconds) * 1000).toISOString().slice(11, 19)} UTC`;
}
