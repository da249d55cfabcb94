// A line chart in SVG, replaced in place when what it shows changes.
import { linearTicks, logTicks, nearest, scales, short } from "./scales.js";
/** @import { Host, Plot } from "../types.js" */

const EMPTY = { series: [], marks: [] };

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function axes(chart, { useLog, box, x, y, x0, x1, y0, y1 }) {
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

function markers({ marks }, { box, x }) {
  return marks
    .map((mark) => `<g class="chart-mark"><line x1="${x(mark.x)}" x2="${x(mark.x)}" y1="${box.top}" y2="${box.bottom}"/>
      <text x="${x(mark.x) + 4}" y="${box.top + 12}">${escape(mark.name)}</text></g>`)
    .join("");
}

/**
 * @param {HTMLElement} element holds the markup of `chart.html`
 * @returns {{ show: (plot: Plot) => void }}
 */
export function createChart(element) {
  const figure = element.querySelector(".chart");
  const svg = figure.querySelector("svg");
  const readout = figure.querySelector(".chart-readout");
  const logSwitch = figure.querySelector(".chart-log");
  /** @type {Plot} */
  let chart = EMPTY;
  let log = null; // null: as the chart proposes, until the visitor chooses
  let cursor = null; // where the crosshair stands, in units of x
  let frame = null; // the scales of the last drawing

  function draw() {
    const { width, height } = figure.getBoundingClientRect();
    if (width < 40 || height < 40) return;
    frame = scales(chart, log ?? Boolean(chart.log), width, height);
    logSwitch.hidden = !chart.can_log;
    logSwitch.setAttribute("aria-pressed", String(frame.useLog));
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const visible = chart.series.filter((series) => series.points.length);
    const hint = visible.length || width < 90 + 7.5 * (chart.hint ?? "").length ? "" : `<text class="chart-hint" x="${(frame.box.left + frame.box.right) / 2}" y="${(frame.box.top + frame.box.bottom) / 2}" text-anchor="middle">${escape(chart.hint ?? "")}</text>`;
    svg.innerHTML = `<title>${escape(chart.summary ?? "")}</title>` + axes(chart, frame) + markers(chart, frame) + visible.map((series) => drawn(series, frame)).join("") + labels(visible, frame) + hint + `<g class="chart-cursor"></g>`;
    svg.setAttribute("aria-label", chart.summary || "A chart, empty as yet");
    point();
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

  function show(plot) {
    chart = plot;
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
  return { show };
}

/**
 * @param {HTMLElement} element
 * @param {Host} host its value is a plot, as JSON text
 */
export function mount(element, host) {
  const chart = createChart(element);
  const load = () => chart.show(host.value ? JSON.parse(host.value) : EMPTY);
  host.watch("value", load);
  load();
}
