// A line chart in SVG. Runs as the body of gr.HTML's js_on_load, with `element`, `props` and `watch` in scope.
// props.value is the JSON text that Chart.postprocess writes; the drawing is replaced in place when it changes.
const figure = element.querySelector(".chart");
const svg = figure.querySelector("svg");
const readout = figure.querySelector(".chart-readout");
const logSwitch = figure.querySelector(".chart-log");
const LETTER = 7.2; // pixels, about the width of a bold letter at 12 pixels
let chart = { series: [], marks: [] };
let log = null; // null: as the chart proposes, until the visitor chooses
let cursor = null; // where the crosshair stands, in units of x
let frame = null; // the scales of the last drawing

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  if (size !== 0 && size < 1e-3) return value.toExponential(0);
  return String(+value.toPrecision(3));
}

function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((nice) => nice >= value * 0.999999);
}

function linearTicks(low, high, wanted) {
  let step = niceCeiling((high - low) / wanted);
  if (step > (high - low) / 2) step = niceCeiling((high - low) / wanted / 2); // one tick beside the first tells too little
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) ticks.push(+tick.toPrecision(12));
  return ticks;
}

function logTicks(low, high) {
  const factors = Math.log10(high / low) < 1.5 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const factor of factors) {
      const tick = factor * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  const every = Math.ceil(ticks.length / 7);
  return ticks.filter((_, index) => index % every === 0);
}

// Scales for what is to be drawn: the x axis grows in nice steps so that it seldom jumps.
function scales(width, height) {
  const useLog = log ?? Boolean(chart.log);
  const points = chart.series.flatMap((series) => series.points).filter(([, y]) => !useLog || y > 0);
  const longest = Math.max(0, ...chart.series.map((series) => (series.label ? series.name.length : 0)));
  const room = Math.min(longest * LETTER + 14, width * 0.3);
  const box = { left: 46, top: chart.y_name ? 24 : 10, right: width - Math.max(room, 14), bottom: height - 34 };
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const x0 = chart.x_low ?? 0;
  let x1 = Math.max(x0 + 1e-9, ...xs);
  if (chart.x_high !== undefined) x1 = chart.x_grows ? Math.min(niceCeiling(Math.max(x1, 10)), chart.x_high) : chart.x_high;
  else if (chart.x_grows) x1 = niceCeiling(Math.max(x1, 10));
  let y0 = chart.y_low ?? (useLog ? Math.min(...ys) : Math.min(0, ...ys));
  let y1 = chart.y_high ?? Math.max(...ys);
  if (!ys.length) [y0, y1] = [chart.y_low ?? 0, chart.y_high ?? 1];
  if (useLog) {
    y0 = y0 > 0 ? y0 : Math.min(...ys, 1);
    [y0, y1] = [y0 / 1.15, Math.max(y1, y0 * 2) * 1.15];
  } else if (chart.y_high === undefined) y1 = y0 + (y1 - y0 || 1) * 1.06;
  const place = (value) => (useLog ? Math.log(value) : value);
  const x = (value) => box.left + ((value - x0) / (x1 - x0 || 1)) * (box.right - box.left);
  const y = (value) => box.bottom - ((place(value) - place(y0)) / (place(y1) - place(y0))) * (box.bottom - box.top);
  const back = (pixel) => x0 + ((pixel - box.left) / (box.right - box.left)) * (x1 - x0);
  return { useLog, box, x, y, back, x0, x1, y0, y1 };
}

function axes({ useLog, box, x, y, x0, x1, y0, y1 }) {
  const rows = (useLog ? logTicks(y0, y1) : linearTicks(y0, y1, Math.max(2, Math.floor((box.bottom - box.top) / 45))))
    .map((tick) => `<line class="chart-grid" x1="${box.left}" x2="${box.right}" y1="${y(tick)}" y2="${y(tick)}"/>
      <text x="${box.left - 7}" y="${y(tick) + 4}" text-anchor="end">${short(tick)}${chart.y_unit ?? ""}</text>`);
  const columns = linearTicks(x0, x1, Math.max(2, Math.floor((box.right - box.left) / 75)))
    .map((tick) => `<text x="${x(tick)}" y="${box.bottom + 17}" text-anchor="middle">${short(tick)}</text>`);
  const name = `<text class="chart-unit chart-x" x="${box.right}" y="${box.bottom + 31}" text-anchor="end">${escape(chart.x_name ?? "")}</text>
    <text class="chart-unit" x="${box.left}" y="${box.top - 11}">${escape(chart.y_name ?? "")}${useLog ? ", log scale" : ""}</text>`;
  return rows.join("") + columns.join("") + name;
}

function drawn(series, { useLog, x, y }) {
  const points = series.points.filter(([, value]) => !useLog || value > 0).map(([a, b]) => [x(a), y(b)]);
  const style = `class="chart-line ${series.faint ? "chart-faint" : ""}" style="--curve: var(--curve-${series.colour})"`;
  const dash = series.dash ? `stroke-dasharray="${series.dash}"` : "";
  const path = points.map(([a, b], index) => `${index ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`).join("");
  const dots = series.dots ? points.map(([a, b]) => `<circle cx="${a.toFixed(1)}" cy="${b.toFixed(1)}" r="3.5"/>`).join("") : "";
  return `<g ${style}><path ${dash} d="${path}"/>${dots}</g>`;
}

// Names stand at the ends of their curves, moved apart where they would overlap.
function labels(visible, { useLog, box, x, y }) {
  const names = visible
    .filter((series) => series.label && series.points.length)
    .map((series) => {
      const [a, b] = series.points[series.points.length - 1];
      return { series, end: Math.min(x(a), box.right), y: useLog && b <= 0 ? box.bottom : y(b) };
    })
    .sort((one, other) => one.y - other.y);
  names.forEach((name, index) => {
    if (index) name.y = Math.max(name.y, names[index - 1].y + 14);
  });
  const left = Math.max(0, ...names.map((name) => name.end)) + 8;
  let floor = box.bottom;
  for (const name of names.toReversed()) {
    name.y = Math.max(box.top, Math.min(name.y, floor));
    floor = name.y - 14;
  }
  return names
    .map(({ series, y: at }) => `<text class="chart-name" style="--curve: var(--curve-${series.colour})" x="${left}" y="${at + 4}">${escape(series.name)}</text>`)
    .join("");
}

function markers({ box, x }) {
  return chart.marks
    .map((mark) => `<g class="chart-mark"><line x1="${x(mark.x)}" x2="${x(mark.x)}" y1="${box.top}" y2="${box.bottom}"/>
      <text x="${x(mark.x) + 4}" y="${box.top + 12}">${escape(mark.name)}</text></g>`)
    .join("");
}

function draw() {
  const { width, height } = figure.getBoundingClientRect();
  if (width < 40 || height < 40) return;
  frame = scales(width, height);
  logSwitch.hidden = !chart.can_log;
  logSwitch.setAttribute("aria-pressed", String(frame.useLog));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const visible = chart.series.filter((series) => series.points.length);
  const hint = visible.length || width < 90 + 7.5 * (chart.hint ?? "").length ? "" : `<text class="chart-hint" x="${(frame.box.left + frame.box.right) / 2}" y="${(frame.box.top + frame.box.bottom) / 2}" text-anchor="middle">${escape(chart.hint ?? "")}</text>`;
  svg.innerHTML = `<title>${escape(chart.summary ?? "")}</title>` + axes(frame) + markers(frame) + visible.map((series) => drawn(series, frame)).join("") + labels(visible, frame) + hint + `<g class="chart-cursor"></g>`;
  svg.setAttribute("aria-label", chart.summary || "A chart, empty as yet");
  point();
}

function nearest(points, at) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] > at) high = middle;
    else low = middle;
  }
  return Math.abs(points[low][0] - at) <= Math.abs(points[high][0] - at) ? low : high;
}

// The crosshair and, in a line below the plot, what every curve says there.
function point() {
  const cross = svg.querySelector(".chart-cursor");
  if (cursor === null || !chart.series.some((series) => series.points.length)) {
    readout.textContent = "";
    figure.classList.remove("chart-pointed");
    if (cross) cross.innerHTML = "";
    return;
  }
  figure.classList.add("chart-pointed");
  const at = Math.min(Math.max(cursor, frame.x0), frame.x1);
  const found = chart.series.filter((series) => series.points.length).map((series) => {
    const index = nearest(series.points, at);
    return { series, spot: series.points[index], note: series.notes?.[index] };
  });
  const said = found.map(({ series, spot, note }) => `${series.name} ${short(spot[1])}${chart.y_unit ?? ""}${note ? ` (${note})` : ""}`);
  const where = found.reduce((best, { spot }) => (Math.abs(spot[0] - at) < Math.abs(best - at) ? spot[0] : best), Infinity);
  readout.textContent = `${chart.x_name ?? ""} ${short(where)}: ${said.join(", ")}`;
  const dots = found.filter(({ spot }) => !frame.useLog || spot[1] > 0)
    .map(({ series, spot }) => `<circle style="--curve: var(--curve-${series.colour})" cx="${frame.x(spot[0])}" cy="${frame.y(spot[1])}" r="3"/>`);
  cross.innerHTML = `<line x1="${frame.x(at)}" x2="${frame.x(at)}" y1="${frame.box.top}" y2="${frame.box.bottom}"/>` + dots.join("");
}

function load() {
  try {
    chart = { series: [], marks: [], ...JSON.parse(props.value || "{}") };
  } catch {
    chart = { series: [], marks: [] };
  }
  draw();
}

svg.addEventListener("pointermove", (event) => {
  cursor = frame ? frame.back(event.clientX - svg.getBoundingClientRect().left) : null;
  point();
});
svg.addEventListener("pointerleave", () => {
  cursor = null;
  point();
});
svg.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!way || !frame) return;
  event.preventDefault();
  cursor = Math.min(Math.max((cursor ?? frame.x1) + (way * (frame.x1 - frame.x0)) / 50, frame.x0), frame.x1);
  point();
});
svg.addEventListener("blur", () => {
  cursor = null;
  point();
});
logSwitch.addEventListener("click", () => {
  log = !(log ?? Boolean(chart.log));
  draw();
});
new ResizeObserver(draw).observe(figure);
watch("value", load);
load();
