// Parallel coordinates of a sweep, drawn as lines: the policy of the page allows no WebGL, which needs `eval`.
const { keepUp, plain, short, styleOf, whenSchemeChanges } = await import(`./page.js${new URL(import.meta.url).search}`);

const SHADES = 16;
const AXIS_WIDTH = 110;
const box = document.getElementById("parallel");
const names = JSON.parse(box.dataset.axes);
// What the address of the page chooses; a drag chooses among those.
const ranges = JSON.parse(box.dataset.ranges);
let runs = JSON.parse(box.dataset.runs);

const label = (value) => plain(typeof value === "string" ? value : JSON.stringify(value), 24);

class Axis {
  // Numbers are placed by their value, or by its logarithm where they span a thousandfold; other values by their order.
  constructor(name, values, chosen, range) {
    this.name = name;
    this.range = range;
    this.values = values;
    this.chosen = chosen;
    const given = values.filter((value) => value !== null);
    this.isNumeric = given.length > 0 && given.every((value) => typeof value === "number");
    if (this.isNumeric) {
      const low = given.reduce((a, b) => Math.min(a, b));
      const high = given.reduce((a, b) => Math.max(a, b));
      this.isLog = low > 0 && high / low >= 1000;
      this.turn = this.isLog ? Math.log10 : (value) => value;
      this.low = this.turn(low);
      this.span = this.turn(high) - this.low;
      const steps = this.span > 0 ? [0, 0.25, 0.5, 0.75, 1] : [0.5];
      this.ticks = steps.map((at) => [at, this.number(at)]);
    } else {
      this.names = [...new Set(given.map((value) => JSON.stringify(value)))].sort();
      const all = this.names.map((text, index) => [this.place(index), label(JSON.parse(text))]);
      this.ticks = all.length > 12 ? [all[0], all.at(-1)] : all;
    }
  }

  number(at) {
    const value = this.low + at * this.span;
    return Number((this.isLog ? 10 ** value : value).toPrecision(4)).toString();
  }

  place(index) { return this.names.length > 1 ? index / (this.names.length - 1) : 0.5; }

  at(row) {
    const value = this.values[row];
    if (value === null) return null;
    if (this.isNumeric) return this.span > 0 ? (this.turn(value) - this.low) / this.span : 0.5;
    return this.place(this.names.indexOf(JSON.stringify(value)));
  }

  // The part of the axis that the address chooses.
  get asked() {
    if (!this.range || !this.isNumeric || !(this.span > 0)) return null;
    const [low, high] = this.range.map((value, end) => {
      if (value === null) return end;
      const at = this.isLog && value <= 0 ? -Infinity : (this.turn(value) - this.low) / this.span;
      return Math.max(-0.03, Math.min(1.03, at));
    });
    return low <= high ? [low, high] : null;
  }

  holds(row) {
    if (!this.chosen) return true;
    const at = this.at(row);
    return at !== null && at >= this.chosen[0] && at <= this.chosen[1];
  }
}

let axes = [];
const read = () => {
  axes = names.map((name, index) => new Axis(name, runs.map((run) => run.values[index] ?? null), axes[index]?.chosen ?? null, ranges[index]));
};

function shade(at) {
  // From blue, the lowest of the last axis, to orange, the highest.
  const mix = [[42, 120, 184], [209, 102, 27]];
  return `rgb(${[0, 1, 2].map((part) => Math.round(mix[0][part] + at * (mix[1][part] - mix[0][part]))).join(",")})`;
}

// One trace for all lines of a colour: hundreds of traces take seconds.
function trace(rows, color, isChosen) {
  const gap = (list) => [...list, null];
  return {
    type: "scatter",
    mode: "lines+markers",
    x: rows.flatMap(() => gap(axes.map((_, index) => index))),
    y: rows.flatMap((row) => gap(axes.map((axis) => axis.at(row)))),
    text: rows.flatMap((row) => gap(axes.map((axis) => `${plain(runs[row].name)}<br>${plain(axis.name)}: ${axis.values[row] === null ? "–" : label(axis.values[row])}`))),
    hoverinfo: isChosen ? "text" : "skip",
    line: { color, width: isChosen ? 1.5 : 0.75 },
    marker: { size: 4 },
    opacity: isChosen ? 0.8 : 0.25,
    connectgaps: false,
    selectedpoints: null,
  };
}

function draw() {
  const chosen = runs.map((run, row) => !run.out && axes.every((axis) => axis.holds(row)));
  const groups = new Map();
  runs.forEach((_, row) => {
    const at = axes.at(-1).at(row);
    const color = !chosen[row] ? styleOf("--line") : at === null ? styleOf("--faint") : shade(Math.round(at * (SHADES - 1)) / (SHADES - 1));
    const group = groups.get(`${chosen[row]} ${color}`) ?? { rows: [], color, isChosen: chosen[row] };
    group.rows.push(row);
    groups.set(`${chosen[row]} ${color}`, group);
  });
  const traces = [...groups.values()].sort((a, b) => a.isChosen - b.isChosen).map((group) => trace(group.rows, group.color, group.isChosen));
  const ink = styleOf("--ink");
  const layout = {
    height: 380,
    width: Math.max(box.parentElement.clientWidth, names.length * AXIS_WIDTH),
    margin: { l: 60, r: 60, t: 16, b: 56 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 12 },
    showlegend: false,
    hovermode: "closest",
    dragmode: "select",
    selectdirection: "v",
    xaxis: { tickvals: axes.map((_, index) => index), ticktext: axes.map((axis) => `${plain(axis.name, 20)}${axis.isLog ? " (log)" : ""}`), range: [-0.3, axes.length - 0.7], color: ink, gridcolor: ink, linecolor: styleOf("--line"), zeroline: false, fixedrange: true },
    yaxis: { visible: false, range: [-0.05, 1.05], fixedrange: true },
    annotations: axes.flatMap((axis, index) => axis.ticks.map(([at, text]) => ({ x: index, y: at, text, showarrow: false, xanchor: "right", xshift: -4, font: { size: 10, color: ink }, bgcolor: styleOf("--ground") }))),
    shapes: axes.flatMap((axis, index) => [axis.asked, axis.chosen].filter(Boolean).map(([low, high]) => ({ type: "rect", x0: index - 0.06, x1: index + 0.06, y0: low, y1: high, fillcolor: styleOf("--link"), opacity: 0.3, line: { width: 0 } }))),
    selections: [],
  };
  const count = chosen.filter(Boolean).length;
  document.getElementById("chosen").textContent = count === runs.length ? "" : `${count} of ${runs.length} ${runs.length === 1 ? "run" : "runs"} chosen`;
  const hidden = new Set(runs.filter((_, row) => !chosen[row]).map((run) => run.path));
  for (const row of document.querySelectorAll("tr[data-run]")) row.hidden = hidden.has(row.dataset.run);
  box.setAttribute("aria-label", `${runs.length} runs by ${names.map((name) => short(name)).join(", ")}`);
  return Plotly.react(box, traces, layout, { displayModeBar: false });
}

read();
await draw();
// A vertical selection spans the whole width: where it began says which axis is meant.
let pointer = null;
box.addEventListener("mousedown", (event) => {
  const area = box._fullLayout.xaxis;
  pointer = area.p2d(event.clientX - box.getBoundingClientRect().left - area._offset);
}, true);
box.on("plotly_selected", (event) => {
  if (!event?.range || pointer === null) return;
  const axis = axes[Math.max(0, Math.min(axes.length - 1, Math.round(pointer)))];
  axis.chosen = [Math.min(...event.range.y), Math.max(...event.range.y)];
  draw();
});
const takeAll = () => {
  for (const axis of axes) axis.chosen = null;
  draw();
};
// Plotly has two events for it, and sends one of them by what is chosen.
box.on("plotly_doubleclick", takeAll);
box.on("plotly_deselect", takeAll);
box.addEventListener("dblclick", takeAll, true);
box.dataset.drawn = String(runs.length);
addEventListener("resize", draw);
whenSchemeChanges(draw);
keepUp(() => "running" in box.dataset, async (fresh) => {
  const next = fresh.getElementById("parallel");
  if (!next) return;
  if (!("running" in next.dataset)) delete box.dataset.running;
  if (next.dataset.runs !== box.dataset.runs) {
    box.dataset.runs = next.dataset.runs;
    runs = JSON.parse(next.dataset.runs);
    read();
  }
  await draw();
  box.dataset.drawn = String(runs.length);
});
