// Parallel coordinates of a sweep, drawn as lines: the policy of the page allows no WebGL, which needs `eval`.
const box = document.getElementById("parallel");
const axes = JSON.parse(box.dataset.axes);
const runs = JSON.parse(box.dataset.runs);
const plain = (name) => String(name).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const label = (value) => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return plain(text.length > 24 ? `${text.slice(0, 23)}…` : text);
};

class Axis {
  // Numbers are placed by their value, or by its logarithm where they span a thousandfold; other values by their order.
  constructor(name, values) {
    this.name = name;
    this.values = values;
    const given = values.filter((value) => value !== null);
    this.isNumeric = given.length > 0 && given.every((value) => typeof value === "number");
    if (this.isNumeric) {
      const low = Math.min(...given);
      const high = Math.max(...given);
      this.isLog = low > 0 && high / low >= 1000;
      this.turn = this.isLog ? Math.log10 : (value) => value;
      this.low = this.turn(low);
      this.span = this.turn(high) - this.low;
      const steps = this.span > 0 ? [0, 0.25, 0.5, 0.75, 1] : [0.5];
      this.ticks = steps.map((at) => [at, Number((this.isLog ? 10 ** (this.low + at * this.span) : this.low + at * this.span).toPrecision(4)).toString()]);
    } else {
      this.names = [...new Set(given.map((value) => JSON.stringify(value)))].sort();
      const all = this.names.map((name, index) => [this.place(index), label(JSON.parse(name))]);
      this.ticks = all.length > 12 ? [all[0], all.at(-1)] : all;
    }
    this.chosen = null;
  }

  place(index) { return this.names.length > 1 ? index / (this.names.length - 1) : 0.5; }

  at(row) {
    const value = this.values[row];
    if (value === null) return null;
    if (this.isNumeric) return this.span > 0 ? (this.turn(value) - this.low) / this.span : 0.5;
    return this.place(this.names.indexOf(JSON.stringify(value)));
  }

  holds(row) {
    if (!this.chosen) return true;
    const at = this.at(row);
    return at !== null && at >= this.chosen[0] && at <= this.chosen[1];
  }
}

const found = axes.map((name, index) => new Axis(name, runs.map((run) => run.values[index] ?? null)));
const last = found.at(-1);

function colour(row) {
  // From blue, the lowest of the last axis, to orange, the highest.
  const at = last.at(row);
  if (at === null) return styleOf("--faint");
  const mix = [[42, 120, 184], [209, 102, 27]];
  return `rgb(${[0, 1, 2].map((part) => Math.round(mix[0][part] + at * (mix[1][part] - mix[0][part]))).join(",")})`;
}

function draw() {
  const chosen = runs.map((_, row) => found.every((axis) => axis.holds(row)));
  const traces = runs.map((run, row) => ({
    type: "scatter",
    mode: "lines+markers",
    x: found.map((_, index) => index),
    y: found.map((axis) => axis.at(row)),
    name: plain(run.name),
    text: found.map((axis) => `${plain(axis.name)}: ${axis.values[row] === null ? "–" : label(axis.values[row])}`),
    hoverinfo: chosen[row] ? "name+text" : "skip",
    line: { color: chosen[row] ? colour(row) : styleOf("--line"), width: chosen[row] ? 1.5 : 0.75 },
    marker: { size: 4 },
    opacity: chosen[row] ? 0.8 : 0.25,
    connectgaps: false,
  }));
  const ink = styleOf("--ink");
  const line = styleOf("--line");
  const layout = {
    height: 380,
    margin: { l: 60, r: 60, t: 16, b: 56 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 12 },
    showlegend: false,
    hovermode: "closest",
    dragmode: "select",
    selectdirection: "v",
    xaxis: { tickvals: found.map((_, index) => index), ticktext: found.map((axis) => `${plain(axis.name)}${axis.isLog ? " (log)" : ""}`), range: [-0.3, found.length - 0.7], color: ink, gridcolor: ink, zeroline: false, fixedrange: true },
    yaxis: { visible: false, range: [-0.05, 1.05], fixedrange: true },
    annotations: found.flatMap((axis, index) => axis.ticks.map(([at, text]) => ({ x: index, y: at, text, showarrow: false, xanchor: "right", xshift: -4, font: { size: 10, color: ink }, bgcolor: styleOf("--ground") }))),
    shapes: found.flatMap((axis, index) => (axis.chosen ? [{ type: "rect", x0: index - 0.06, x1: index + 0.06, y0: axis.chosen[0], y1: axis.chosen[1], fillcolor: styleOf("--link"), opacity: 0.3, line: { width: 0 } }] : [])),
    selections: [],
  };
  layout.xaxis.linecolor = line;
  const count = chosen.filter(Boolean).length;
  document.getElementById("chosen").textContent = count === runs.length ? "" : `${count} of ${runs.length} runs chosen`;
  for (const row of document.querySelectorAll("tr[data-run]")) {
    const index = runs.findIndex((run) => run.path === row.dataset.run);
    row.hidden = index >= 0 && !chosen[index];
  }
  return Plotly.react(box, traces, layout, { displayModeBar: false, responsive: true });
}

await draw();
box.dataset.drawn = String(runs.length);
let start = null;
box.on("plotly_selecting", (event) => { start = event?.range ?? start; });
box.on("plotly_selected", (event) => {
  const range = event?.range ?? start;
  if (!range) return;
  const middle = (range.x[0] + range.x[1]) / 2;
  const axis = found[Math.max(0, Math.min(found.length - 1, Math.round(pointer ?? middle)))];
  axis.chosen = [Math.min(...range.y), Math.max(...range.y)];
  draw();
});
box.on("plotly_doubleclick", () => {
  for (const axis of found) axis.chosen = null;
  draw();
});
// A vertical selection spans the whole width: where it began says which axis is meant.
let pointer = null;
box.addEventListener("mousedown", (event) => {
  const area = box._fullLayout.xaxis;
  const left = box.getBoundingClientRect().left + area._offset;
  pointer = area.p2d(event.clientX - left);
}, true);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
