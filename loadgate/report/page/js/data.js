// The data of the run. The series of a scope are unpacked when a chart first needs them.

/** Read the data from the page, which contains it as base64 of deflated JSON. */
async function readRun() {
  const bytes = Uint8Array.from(atob(document.getElementById("run-data").textContent), (char) => char.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(inflated).text());
}

const run = await readRun();

/** The finest time grid. The time under the cursor is shown in its slots. */
const grid = run.grids[0];

/**
 * Return the lower bound of a bucket of the latency sketch in ms. Below 256 us, a bucket is 1 us wide; above, each
 * doubling has 128 buckets.
 */
function bucketLowMs(bucket) {
  if (bucket < 256) return bucket / 1000;
  return (((bucket & 127) + 128) * 2 ** ((bucket >> 7) - 1)) / 1000;
}

function bucketMs(bucket) {
  return (bucketLowMs(bucket) + bucketLowMs(bucket + 1)) / 2;
}

/** Convert a column of buckets to ms. A slot without samples becomes null. */
function latencies(buckets) {
  return buckets.map((bucket) => (bucket < 0 ? null : bucketMs(bucket)));
}

/** Return the start of a slot in seconds since the start of the run. */
function slotStart(slot, of = grid) {
  return of.offset_s + slot * of.width_s;
}

/** Return the slot that contains a time, or the nearest slot. */
function slotAt(seconds, of = grid) {
  return Math.min(of.count - 1, Math.max(0, Math.floor((seconds - of.offset_s) / of.width_s)));
}

const slotsOf = (of) => Array.from({ length: of.count }, (_, slot) => slot);

/** The start of each slot of each grid. The first slot can begin before the run. */
const slotTimes = run.grids.map((of) => slotsOf(of).map((slot) => Math.max(0, slotStart(slot, of))));

/** Return the number of seconds of each slot of each grid that lie between the start of the load and a time. */
const secondsUntil = (end) =>
  run.grids.map((of) => slotsOf(of).map((slot) => Math.min(slotStart(slot + 1, of), end) - Math.max(slotStart(slot, of), 0)));

const slotSeconds = secondsUntil(run.end_s);
const loadSeconds = secondsUntil(run.duration_s);

/**
 * Convert counts to rates on the grids from index `from` on. A slot with less than half of its time within the load becomes
 * null, because its rate would not be reliable. The time after the load is drawn only if it is long.
 */
function rates(from, count) {
  return slotSeconds.slice(from).map((all, level) => {
    const width = run.grids[from + level].width_s;
    const hasEnd = run.end_s - run.duration_s >= 2 * width;
    return all.map((seconds, slot) => {
      const loaded = loadSeconds[from + level][slot];
      const known = loaded <= 0 && hasEnd ? seconds : loaded;
      return known < width / 2 ? null : count(level, slot) / known;
    });
  });
}

/** Return the series of one outcome of a scope for each of its grids. Null without samples. */
function outcomeData(raw) {
  if (!raw) return null;
  const on = (name) => raw.lines.map((line) => latencies(line[name]));
  return {
    counts: raw.lines.map((line) => line.counts),
    points: raw.lines.map((line) => line.points),
    p50: on("p50"),
    p95: on("p95"),
    p99: on("p99"),
    max: on("max"),
    slotP95: raw.lines.some((line) => line.slot_p95) ? raw.lines.map((line) => latencies(line.slot_p95 || [])) : null,
  };
}

const unpacked = new Map();

/** Return a scope with its series. If there are many names, names have series on the coarser grid only. */
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
