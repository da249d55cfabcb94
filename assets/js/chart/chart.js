// A line chart in SVG, replaced in place when what it shows changes.
import { find, svg } from "../elements.js";
import { linearTicks, logTicks, nearest, scales, short } from "./scales.js";

/**
 * @import { Attributes } from "../elements.js"
 * @import { Host, Plot, Series } from "../types.js"
 * @import { Scales } from "./scales.js"
 */

/** @type {Record<string, number>} */
const WAYS = { ArrowLeft: -1, ArrowRight: 1 };
/** @type {Plot} */
const EMPTY = { series: [], marks: [] };

/** @type {(x1: number, y1: number, x2: number, y2: number, attributes?: Attributes) => SVGElement} */
const line = (x1, y1, x2, y2, attributes = {}) => svg("line", { x1, y1, x2, y2, ...attributes });
/** @type {(x: number, y: number, said: string, attributes?: Attributes) => SVGElement} */
const text = (x, y, said, attributes = {}) => svg("text", { x, y, ...attributes }, said);
const colour = (/** @type {Series} */ series) => `--curve: var(--curve-${series.colour})`;

/** @type {(chart: Plot, scales: Scales) => SVGElement[]} */
function axes(chart, { useLog, box, x, y, x0, x1, y0, y1 }) {
  const rows = (
    useLog ? logTicks(y0, y1) : linearTicks(y0, y1, Math.max(2, Math.floor((box.bottom - box.top) / 45)))
  ).flatMap((tick) => [
    line(box.left, y(tick), box.right, y(tick), { class: "chart-grid" }),
    text(box.left - 7, y(tick) + 4, short(tick), { "text-anchor": "end" }),
  ]);
  const columns = linearTicks(x0, x1, Math.max(2, Math.floor((box.right - box.left) / 75))).map((tick) =>
    text(x(tick), box.bottom + 17, short(tick), { "text-anchor": "middle" }),
  );
  return [
    ...rows,
    ...columns,
    text(box.right, box.bottom + 31, chart.x_name ?? "", { class: "chart-unit chart-x", "text-anchor": "end" }),
    text(box.left, box.top - 11, `${chart.y_name ?? ""}${useLog ? ", log scale" : ""}`, { class: "chart-unit" }),
  ];
}

/** @type {(series: Series, scales: Scales) => SVGElement} */
function drawn(series, { useLog, x, y }) {
  const points = series.points
    .filter(([, value]) => !useLog || value > 0)
    .map(([a, b]) => [x(a).toFixed(1), y(b).toFixed(1)]);
  const d = points.map(([a, b], index) => `${index ? "L" : "M"}${a} ${b}`).join("");
  const dots = series.dots ? points.map(([cx, cy]) => svg("circle", { cx, cy, r: 3.5 })) : [];
  const path = svg("path", series.dash ? { d, "stroke-dasharray": series.dash } : { d });
  return svg("g", { class: `chart-line ${series.faint ? "chart-faint" : ""}`, style: colour(series) }, path, ...dots);
}

// Names stand at the ends of their curves, moved apart where they would overlap.
/** @type {(visible: Series[], scales: Scales) => SVGElement[]} */
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
  return names.map(({ series, y: at }) => text(left, at + 4, series.name, { class: "chart-name" }));
}

/** @type {(chart: Plot, scales: Scales) => SVGElement[]} */
function markers({ marks }, { box, x }) {
  return marks.map(({ x: where, name }) => {
    const at = x(where);
    return svg("g", { class: "chart-mark" }, line(at, box.top, at, box.bottom), text(at + 4, box.top + 12, name));
  });
}

// What stands in the middle of an empty chart, where there is room for it.
/** @type {(chart: Plot, visible: Series[], scales: Scales, width: number) => SVGElement[]} */
function hints(chart, visible, { box }, width) {
  const said = chart.hint ?? "";
  if (visible.length || width < 90 + 7.5 * said.length) return [];
  const style = { class: "chart-hint", "text-anchor": "middle" };
  return [text((box.left + box.right) / 2, (box.top + box.bottom) / 2, said, style)];
}

/**
 * @param {HTMLElement} element holds the markup of `chart.html`
 * @returns {{ show: (plot: Plot) => void }}
 */
export function createChart(element) {
  const figure = find(element, ".chart", HTMLElement);
  const picture = find(figure, "svg", SVGSVGElement);
  const readout = find(figure, ".chart-readout", HTMLElement);
  const logSwitch = find(figure, ".chart-log", HTMLElement);
  let chart = EMPTY;
  /** @type {boolean | null} */
  let log = null; // null: as the chart proposes, until the visitor chooses
  /** @type {number | null} */
  let cursor = null; // where the crosshair stands, in units of x
  /** @type {Scales | null} */
  let frame = null; // of the last drawing

  function draw() {
    const { width, height } = figure.getBoundingClientRect();
    if (width < 40 || height < 40) return;
    const current = scales(chart, log ?? Boolean(chart.log), width, height);
    frame = current;
    logSwitch.hidden = !chart.can_log;
    logSwitch.setAttribute("aria-pressed", String(current.useLog));
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const visible = chart.series.filter((series) => series.points.length);
    picture.replaceChildren(
      svg("title", {}, chart.summary ?? ""),
      ...axes(chart, current),
      ...markers(chart, current),
      ...visible.map((series) => drawn(series, current)),
      ...labels(visible, current),
      ...hints(chart, visible, current, width),
      svg("g", { class: "chart-cursor" }),
    );
    picture.setAttribute("aria-label", chart.summary || "A chart, empty as yet");
    point();
  }

  // The crosshair and, in a line below the plot, what every curve says there.
  function point() {
    const cross = picture.querySelector(".chart-cursor");
    const visible = chart.series.filter((series) => series.points.length);
    if (cursor === null || !frame || !visible.length) {
      readout.textContent = "";
      figure.classList.remove("chart-pointed");
      cross?.replaceChildren();
      return;
    }
    figure.classList.add("chart-pointed");
    const { useLog, box, x, y, x0, x1 } = frame;
    const at = Math.min(Math.max(cursor, x0), x1);
    const found = visible.map((series) => {
      const index = nearest(series.points, at);
      return { series, spot: series.points[index], note: series.notes?.[index] };
    });
    const said = found.map(({ series, spot, note }) => `${series.name} ${short(spot[1])}${note ? ` (${note})` : ""}`);
    const where = found.reduce(
      (best, { spot }) => (Math.abs(spot[0] - at) < Math.abs(best - at) ? spot[0] : best),
      Infinity,
    );
    readout.textContent = `${chart.x_name ?? ""} ${short(where)}: ${said.join(", ")}`;
    const dots = found
      .filter(({ spot }) => !useLog || spot[1] > 0)
      .map(({ series, spot: [a, b] }) => svg("circle", { style: colour(series), cx: x(a), cy: y(b), r: 3 }));
    cross?.replaceChildren(line(x(at), box.top, x(at), box.bottom), ...dots);
  }

  /** @param {Plot} plot */
  function show(plot) {
    chart = plot;
    draw();
  }

  picture.addEventListener("pointermove", (event) => {
    cursor = frame ? frame.back(event.clientX - picture.getBoundingClientRect().left) : null;
    point();
  });
  picture.addEventListener("pointerleave", () => {
    cursor = null;
    point();
  });
  picture.addEventListener("keydown", (event) => {
    const way = WAYS[event.key];
    if (!way || !frame) return;
    event.preventDefault();
    cursor = Math.min(Math.max((cursor ?? frame.x1) + (way * (frame.x1 - frame.x0)) / 50, frame.x0), frame.x1);
    point();
  });
  picture.addEventListener("blur", () => {
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
 * @param {Host<string>} host its value is a plot, as JSON text
 */
export function mount(element, host) {
  const chart = createChart(element);
  const load = () => chart.show(host.value ? JSON.parse(host.value) : EMPTY);
  host.watch("value", load);
  load();
}
