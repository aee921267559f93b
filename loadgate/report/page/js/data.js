// The run's data, and its series when a chart first asks for them.

/** The data stands in the page as base64 of deflated JSON. */
async function readRun() {
  const bytes = Uint8Array.from(atob(document.getElementById("run-data").textContent), (char) => char.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(inflated).text());
}

const run = await readRun();

/** The finest time grid; the readout goes by it. */
const grid = run.grids[0];

/** The lower end of a bucket of the latency sketch, in ms; up to 256 us a bucket is 1 us, then 128 to a doubling. */
function bucketLowMs(bucket) {
  if (bucket < 256) return bucket / 1000;
  return (((bucket & 127) + 128) * 2 ** ((bucket >> 7) - 1)) / 1000;
}

function bucketMs(bucket) {
  return (bucketLowMs(bucket) + bucketLowMs(bucket + 1)) / 2;
}

/** A column of percentiles in ms, null where a slot has no sample. */
function latencies(buckets) {
  return buckets.map((bucket) => (bucket < 0 ? null : bucketMs(bucket)));
}

/** Seconds since the start of the run at which a slot begins. */
function slotStart(slot, of = grid) {
  return of.offset_s + slot * of.width_s;
}

/** The slot that holds a time, or the nearest. */
function slotAt(seconds, of = grid) {
  return Math.min(of.count - 1, Math.max(0, Math.floor((seconds - of.offset_s) / of.width_s)));
}

const slotsOf = (of) => Array.from({ length: of.count }, (_, slot) => slot);

/** The middle of each slot, on each grid. */
const slotTimes = run.grids.map((of) => slotsOf(of).map((slot) => slotStart(slot, of) + of.width_s / 2));

/** Seconds of each slot that lie inside the run, on each grid. */
const slotSeconds = run.grids.map((of) =>
  slotsOf(of).map((slot) => Math.min(slotStart(slot + 1, of), run.end_s) - Math.max(slotStart(slot, of), 0)),
);

/**
 * Counts as rates, on the grids from that one on; null for the ends of a run, where less than half of a slot lies
 * inside and nothing much is known.
 */
function rates(from, count) {
  return slotSeconds.slice(from).map((all, level) => {
    const { width_s: width } = run.grids[from + level];
    return all.map((seconds, slot) => {
      if (seconds < width / 2 && count(level, slot) < 2) return null;
      return count(level, slot) / (width === 1 ? 1 : Math.max(1, seconds));
    });
  });
}

/** The series of one outcome of a scope, on each grid that it is drawn on; null without samples. */
function outcomeData(raw) {
  if (!raw) return null;
  const on = (name) => raw.lines.map((line) => latencies(line[name]));
  return { counts: raw.lines.map((line) => line.counts), p50: on("p50"), p95: on("p95"), p99: on("p99"), max: on("max") };
}

const unpacked = new Map();

/** A scope of the run with its series; of many names, they are there on the coarser grid alone. */
function scopeData(index) {
  if (!unpacked.has(index)) {
    const raw = run.scopes[index];
    const success = outcomeData(raw.success);
    const failure = outcomeData(raw.failure);
    const from = run.grids.length - raw.success.lines.length;
    const failed = (level, slot) => (failure ? failure.counts[level][slot] : 0);
    unpacked.set(index, {
      raw,
      limits: raw.limits,
      times: slotTimes.slice(from),
      success,
      failure,
      requestRate: rates(from, (level, slot) => success.counts[level][slot] + failed(level, slot)),
      failureRate: rates(from, failed),
    });
  }
  return unpacked.get(index);
}
