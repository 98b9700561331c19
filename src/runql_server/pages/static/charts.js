// Charts of a page: each asks the server for the points of the range and the width that it shows.
const POLL = 2000;
const COLOURS = ["#2a78b8", "#d1661b", "#2c8a4b", "#b8323f", "#7b5cc4", "#8a6236", "#c04a98", "#5f6b76", "#8a8a12", "#118a99"];

const plain = (name) => name.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
// On an axis of times plotly counts milliseconds, and writes a range as a date in UTC.
const toDate = (seconds) => seconds * 1000;
const fromDate = (date) => (typeof date === "number" ? date : Date.parse(`${date.replace(" ", "T")}Z`)) / 1000;
const shown = (number) => (Number.isFinite(number) ? Number(number.toPrecision(6)).toString() : "–");

function smoothed(values, weight) {
  // An exponential mean without the bias towards its start; a gap stays a gap.
  let mean = 0;
  let seen = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = mean * weight + value * (1 - weight);
    seen += 1;
    return mean / (1 - weight ** seen);
  });
}

class Chart {
  constructor(panel, keys) {
    this.panel = panel;
    this.keys = keys;
    this.range = null;
    this.received = new Map();
    this.visible = false;
    this.drawing = null;
    this.figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = keys.length === 1 ? keys[0] : `${keys.length} keys`;
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    this.plot.setAttribute("role", "img");
    this.note = document.createElement("p");
    this.note.className = "faint note";
    this.figure.append(caption, this.plot, this.note);
  }

  async load(force = false) {
    if (!this.visible) return;
    await Promise.all(this.panel.runs.map((run) => this.loadRun(run, force)));
    await this.draw();
  }

  async loadRun(run, force) {
    const query = new URLSearchParams({ stream: this.panel.stream, x: this.panel.x });
    for (const key of this.keys) query.append("key", key);
    query.set("pixels", String(Math.max(50, Math.min(4000, Math.round(this.plot.clientWidth || 600)))));
    if (this.range) {
      query.set("from", String(this.range[0]));
      query.set("to", String(this.range[1]));
    }
    const before = this.received.get(run.curves);
    if (before && !force) query.set("version", before.version);
    const asked = query.toString();
    run.asked ??= new Map();
    run.asked.set(this, asked);
    const response = await fetch(`${run.curves}?${query}`);
    // A later range may have overtaken this one.
    if (run.asked.get(this) !== asked || response.status === 204) return;
    if (!response.ok) {
      this.note.textContent = `The server refused: ${response.status}`;
      return;
    }
    this.received.set(run.curves, await response.json());
  }

  traces() {
    const { smoothing, runs } = this.panel;
    const found = [];
    let index = 0;
    for (const run of runs) {
      for (const curve of this.received.get(run.curves)?.curves ?? []) {
        const color = COLOURS[index % COLOURS.length];
        index += 1;
        const name = plain(runs.length > 1 ? (this.keys.length > 1 ? `${run.name} · ${curve.key}` : run.name) : curve.key);
        const few = curve.x.length < 3;
        const base = { x: this.panel.isTime ? curve.x.map(toDate) : curve.x, type: "scatter", hoverinfo: "x+y+name", name, connectgaps: false };
        if (smoothing > 0) {
          found.push({ ...base, y: curve.y, mode: "lines", line: { color, width: 1 }, opacity: 0.3, hoverinfo: "skip", showlegend: false });
          found.push({ ...base, y: smoothed(curve.y, smoothing), mode: few ? "lines+markers" : "lines", line: { color, width: 2 } });
        } else {
          found.push({ ...base, y: curve.y, mode: few ? "lines+markers" : "lines", line: { color, width: 1.5 } });
        }
      }
    }
    return found;
  }

  describe(traces) {
    const values = traces.flatMap((trace) => trace.y).filter((value) => value !== null);
    const responses = [...this.received.values()];
    const gaps = responses.flatMap((each) => each.curves).reduce((sum, curve) => sum + curve.notFinite, 0);
    const hidden = this.panel.log ? values.filter((value) => value <= 0).length : 0;
    const rows = responses.reduce((sum, each) => sum + each.rows, 0);
    const kept = responses.reduce((sum, each) => sum + (each.complete ? each.rows : each.kept), 0);
    const notes = [];
    if (kept < rows) notes.push(`reading rows: ${Math.floor((100 * kept) / rows)} %`);
    if (gaps) notes.push(`${gaps.toLocaleString()} values are NaN or infinite`);
    if (hidden) notes.push(`${hidden.toLocaleString()} drawn values are not above 0: a log scale leaves them out`);
    this.note.textContent = notes.join("; ");
    const low = values.reduce((a, b) => Math.min(a, b), Infinity);
    const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const last = traces.at(-1)?.y.at(-1) ?? NaN;
    this.plot.setAttribute("aria-label", `${this.keys.join(", ")}: from ${shown(low)} to ${shown(high)}, last ${shown(last)}`);
    return kept >= rows;
  }

  async draw() {
    const traces = this.traces();
    const complete = this.describe(traces);
    const ink = styleOf("--ink");
    const line = styleOf("--line");
    const axis = { color: ink, gridcolor: line, zerolinecolor: line, automargin: true };
    const range = this.panel.isTime ? this.range?.map(toDate) : this.range;
    const layout = {
      height: 240,
      margin: { l: 48, r: 12, t: 8, b: 36 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, size: 12 },
      showlegend: this.panel.runs.length > 1 || this.keys.length > 1,
      legend: { orientation: "h", font: { size: 11 }, y: 1.02, yanchor: "bottom" },
      xaxis: { ...axis, title: { text: plain(this.panel.x), font: { size: 11 } }, type: this.panel.isTime ? "date" : "linear", ...(range ? { range } : { autorange: true }) },
      yaxis: { ...axis, type: this.panel.log ? "log" : "linear" },
      dragmode: "zoom",
      hovermode: "closest",
      uirevision: "kept",
    };
    await Plotly.react(this.plot, traces, layout, { displayModeBar: false, responsive: true, scrollZoom: false });
    this.figure.dataset.drawn = String(traces.reduce((sum, trace) => sum + trace.x.length, 0));
    this.figure.dataset.complete = String(complete);
    if (!this.drawing) {
      this.drawing = this.plot.on("plotly_relayout", (change) => this.zoom(change));
    }
    if (!complete) {
      clearTimeout(this.again);
      this.again = setTimeout(() => this.load(), 0);
    }
  }

  zoom(change) {
    if (change["xaxis.autorange"]) this.range = null;
    else if (change["xaxis.range[0]"] !== undefined) this.range = [change["xaxis.range[0]"], change["xaxis.range[1]"]].map(this.panel.isTime ? fromDate : Number);
    else return;
    this.load(true);
  }
}

class Panel {
  constructor(form) {
    this.form = form;
    this.box = document.getElementById(form.dataset.charts);
    this.runs = JSON.parse(this.box.dataset.runs);
    this.all = JSON.parse(this.box.dataset.keys);
    this.stream = this.box.dataset.stream;
    this.charts = new Map();
    this.seen = new IntersectionObserver((entries) => this.show(entries), { rootMargin: "300px" });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.arrange());
    form.elements.reset.addEventListener("click", () => this.reset());
    this.arrange();
  }

  get x() { return this.form.elements.x.value; }
  get isTime() { return this.x === "_timestamp"; }
  get log() { return this.form.elements.log.checked; }
  get smoothing() { return Number(this.form.elements.smoothing.value); }
  get running() { return this.runs.some((run) => run.running); }

  arrange() {
    const part = this.form.elements.search.value.trim().toLowerCase();
    const keys = this.all.filter((key) => key.toLowerCase().includes(part));
    const groups = this.form.elements.together.checked && keys.length ? [keys.slice(0, COLOURS.length)] : keys.map((key) => [key]);
    const wanted = new Map(groups.map((group) => [JSON.stringify([this.x, group]), group]));
    for (const [id, chart] of this.charts) {
      if (!wanted.has(id)) {
        this.seen.unobserve(chart.figure);
        Plotly.purge(chart.plot);
        this.charts.delete(id);
      }
    }
    for (const [id, group] of wanted) {
      if (!this.charts.has(id)) {
        const chart = new Chart(this, group);
        chart.figure.chart = chart;
        this.charts.set(id, chart);
      }
    }
    this.box.replaceChildren(...[...wanted.keys()].map((id) => this.charts.get(id).figure));
    for (const chart of this.charts.values()) {
      this.seen.observe(chart.figure);
      if (chart.received.size) chart.draw();
    }
    const status = document.querySelector(`[data-progress="${this.box.id}"]`);
    status.textContent = keys.length === this.all.length ? "" : `${keys.length} of ${this.all.length} keys`;
  }

  show(entries) {
    for (const entry of entries) {
      const chart = entry.target.chart;
      chart.visible = entry.isIntersecting;
      if (chart.visible) chart.load();
    }
  }

  reset() {
    for (const chart of this.charts.values()) {
      chart.range = null;
      chart.load(true);
    }
  }

  async refresh() {
    await Promise.all([...this.charts.values()].map((chart) => chart.load()));
  }
}

const panels = [...document.querySelectorAll("form[data-charts]")].map((form) => new Panel(form));

async function renew() {
  // What is not a curve comes with the page itself.
  const response = await fetch(location.href);
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
    if (next && next.innerHTML !== old.innerHTML) old.replaceWith(document.adoptNode(next));
  }
  for (const panel of panels) {
    const box = fresh.getElementById(panel.box.id);
    if (!box) continue;
    panel.runs.forEach((run, index) => { run.running = JSON.parse(box.dataset.runs)[index]?.running ?? false; });
    const keys = JSON.parse(box.dataset.keys);
    if (keys.length !== panel.all.length) {
      panel.all = keys;
      panel.arrange();
    }
  }
}

async function live() {
  if (!document.hidden && panels.some((panel) => panel.running)) {
    try {
      await renew();
      await Promise.all(panels.map((panel) => panel.refresh()));
    } catch { /* The server is away: the next round tries again. */ }
  }
  setTimeout(live, POLL);
}
setTimeout(live, POLL);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const panel of panels) for (const chart of panel.charts.values()) if (chart.received.size) chart.draw();
});
