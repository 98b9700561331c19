// Charts of a page: each asks the server for the points of the range and the width that it shows.
const { keepUp, plain, short, styleOf, whenSchemeChanges } = await import(`./page.js${new URL(import.meta.url).search}`);

const COLOURS = ["#2a78b8", "#d1661b", "#2c8a4b", "#b8323f", "#7b5cc4", "#8a6236", "#c04a98", "#5f6b76", "#8a8a12", "#118a99"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
// A request names its key in its address, which has an end.
const LONGEST_KEY = 2000;

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

// HTML changes line ends and zeros of an attribute; JSON keeps them.
function spell(select) {
  const values = JSON.parse(select.dataset.values);
  [...select.options].forEach((option, index) => { option.value = values[index]; });
}

class Chart {
  constructor(panel, keys, x) {
    this.panel = panel;
    this.keys = keys;
    this.x = x;
    this.range = null;
    this.received = new Map();
    this.asked = new Map();
    this.visible = false;
    this.listens = false;
    this.problem = "";
    this.figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const title = document.createElement("bdi");
    title.textContent = keys.length === 1 ? short(keys[0], 200) : `${keys.length} keys`;
    caption.append(title);
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", title.textContent);
    this.note = document.createElement("p");
    this.note.className = "faint note";
    this.figure.append(caption, this.plot, this.note);
  }

  get isTime() { return this.x === "_timestamp"; }

  async load(force = false) {
    if (!this.visible) return;
    this.problem = "";
    await Promise.all(this.panel.runs.map((run) => this.loadRun(run, force)));
    if (this.visible) await this.draw();
  }

  async loadRun(run, force) {
    const query = new URLSearchParams({ stream: this.panel.stream, x: this.x });
    for (const key of this.keys) query.append("key", key);
    query.set("pixels", String(Math.max(50, Math.min(4000, Math.round(this.plot.clientWidth || 600)))));
    if (this.range) {
      query.set("from", String(this.range[0]));
      query.set("to", String(this.range[1]));
    }
    const before = this.received.get(run.curves);
    if (before && !force) query.set("version", before.version);
    const asked = query.toString();
    this.asked.set(run.curves, asked);
    try {
      const response = await fetch(`${run.curves}?${query}`);
      const body = response.status === 200 ? await response.json() : null;
      // A later range may have overtaken this one.
      if (this.asked.get(run.curves) !== asked) return;
      if (body) this.received.set(run.curves, body);
      else if (response.status !== 204) this.problem = `the server refused: ${response.status}`;
    } catch {
      this.problem = "the server is away";
    }
  }

  curves() {
    const { runs } = this.panel;
    return runs.flatMap((run, index) => (this.received.get(run.curves)?.curves ?? []).map((curve) => ({
      ...curve,
      // Plotly makes a selector of it.
      id: `curve-${index}-${this.keys.indexOf(curve.key)}`,
      name: plain(runs.length === 1 ? curve.key : this.keys.length === 1 ? run.name : `${short(run.name, 30)} · ${curve.key}`),
    })));
  }

  traces(curves) {
    const { smoothing } = this.panel;
    const { isTime } = this;
    return curves.flatMap((curve, index) => {
      const color = COLOURS[index % COLOURS.length];
      const dash = DASHES[Math.floor(index / COLOURS.length) % DASHES.length];
      const base = {
        uid: curve.id, type: "scatter", name: curve.name, connectgaps: false, hoverinfo: "x+y+name",
        x: isTime ? curve.x.map(toDate) : curve.x, mode: curve.x.length < 3 ? "lines+markers" : "lines",
      };
      if (smoothing === 0) return [{ ...base, y: curve.y, line: { color, dash, width: 1.5 } }];
      const bare = { ...base, uid: `${curve.id}-bare`, y: curve.y, mode: "lines", line: { color, width: 1 }, opacity: 0.3, hoverinfo: "skip", showlegend: false };
      return [bare, { ...base, y: smoothed(curve.y, smoothing), line: { color, dash, width: 2 } }];
    });
  }

  describe(curves) {
    const values = curves.flatMap((curve) => curve.y).filter((value) => value !== null);
    const responses = [...this.received.values()];
    const sum = (list, of) => list.reduce((total, each) => total + of(each), 0);
    const gaps = sum(curves, (curve) => curve.notFinite);
    const hidden = this.panel.log ? values.filter((value) => value <= 0).length : 0;
    const rows = sum(responses, (each) => each.rows);
    const kept = sum(responses, (each) => (each.complete ? each.rows : each.kept));
    const notes = [];
    if (this.problem) notes.push(this.problem);
    if (kept < rows) notes.push(`reading rows: ${Math.floor((100 * kept) / rows)} %`);
    if (gaps) notes.push(`${gaps.toLocaleString()} values are NaN or infinite`);
    const x = short(this.x);
    const without = sum(responses, (each) => each.rowsWithoutX);
    if (without) notes.push(`${without.toLocaleString()} ${without === 1 ? "row" : "rows"} without ${x} ${without === 1 ? "is" : "are"} not drawn`);
    if (responses.some((each) => !each.rising)) notes.push(`${x} goes back in places: points are in its order, not in the order of rows`);
    if (curves.some((curve) => curve.overlaps)) notes.push("too many rows for each: the lowest and highest of each 32 are drawn");
    if (hidden) notes.push(`${hidden.toLocaleString()} drawn values are not above 0: a log scale leaves them out`);
    this.note.textContent = notes.join("; ");
    const low = values.reduce((a, b) => Math.min(a, b), Infinity);
    const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const names = this.keys.map((key) => short(key)).join(", ");
    this.plot.setAttribute("aria-label", `${names}: from ${shown(low)} to ${shown(high)}`);
    return kept >= rows;
  }

  async draw() {
    const curves = this.curves();
    const complete = this.describe(curves);
    const ink = styleOf("--ink");
    const line = styleOf("--line");
    const axis = { color: ink, gridcolor: line, zerolinecolor: line, automargin: true };
    const range = this.isTime ? this.range?.map(toDate) : this.range;
    const layout = {
      height: 240,
      margin: { l: 48, r: 12, t: 8, b: 36 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, size: 12 },
      showlegend: curves.length > 1,
      legend: { orientation: "h", font: { size: 11 }, y: 1.02, yanchor: "bottom", uirevision: "kept" },
      xaxis: { ...axis, title: { text: plain(this.x), font: { size: 11 } }, type: this.isTime ? "date" : "linear", ...(range ? { range, autorange: false } : { autorange: true }) },
      // A drag chooses a range of x; y follows what is there.
      yaxis: { ...axis, type: this.panel.log ? "log" : "linear", fixedrange: true, autorange: true },
      dragmode: "zoom",
      hovermode: "closest",
      hoverlabel: { namelength: -1 },
    };
    await Plotly.react(this.plot, this.traces(curves), layout, { displayModeBar: false, responsive: true, scrollZoom: false });
    if (!this.listens) {
      this.listens = true;
      this.plot.on("plotly_relayout", (change) => this.zoom(change));
    }
    this.figure.dataset.drawn = String(curves.reduce((total, curve) => total + curve.x.length, 0));
    this.figure.dataset.complete = String(complete);
    this.figure.dataset.range = this.range ? this.range.join(" ") : "whole";
    if (!complete && !this.problem) {
      clearTimeout(this.again);
      this.again = setTimeout(() => this.load(), 0);
    }
  }

  zoom(change) {
    if (change["xaxis.autorange"]) this.range = null;
    else if (change["xaxis.range[0]"] !== undefined) this.range = [change["xaxis.range[0]"], change["xaxis.range[1]"]].map(this.isTime ? fromDate : Number);
    else return;
    this.load(true);
  }

  end() {
    this.visible = false;
    clearTimeout(this.again);
    Plotly.purge(this.plot);
  }
}

class Panel {
  constructor(form) {
    this.form = form;
    this.box = document.getElementById(form.dataset.charts);
    this.status = document.querySelector(`[data-progress="${this.box.id}"]`);
    this.runs = JSON.parse(this.box.dataset.runs);
    this.all = JSON.parse(this.box.dataset.keys);
    this.stream = this.box.dataset.stream;
    this.steps = new Map(Object.entries(JSON.parse(this.box.dataset.steps)));
    this.charts = new Map();
    this.seen = new IntersectionObserver((entries) => this.show(entries), { rootMargin: "300px" });
    spell(form.elements.x);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.arrange());
    form.elements.reset.addEventListener("click", () => this.reset());
    this.arrange();
  }

  // Without a choice, the step metric that the run defined for the key.
  xOf(keys) {
    const chosen = this.form.elements.x.value;
    const defined = new Set(keys.map((key) => this.steps.get(key) ?? "_step"));
    return chosen || (defined.size === 1 ? [...defined][0] : "_step");
  }

  get log() { return this.form.elements.log.checked; }
  get smoothing() { return Number(this.form.elements.smoothing.value); }
  get running() { return this.runs.some((run) => run.running); }

  arrange() {
    const part = this.form.elements.search.value.trim().toLowerCase();
    const found = this.all.filter((key) => key.toLowerCase().includes(part));
    const keys = found.filter((key) => key.length <= LONGEST_KEY);
    const together = this.form.elements.together.checked && keys.length > 0;
    const groups = together ? [keys.slice(0, COLOURS.length)] : keys.map((key) => [key]);
    this.report(found, keys, together ? groups[0].length : keys.length);
    const wanted = new Map(groups.map((group) => [JSON.stringify([this.xOf(group), group]), group]));
    for (const [id, chart] of this.charts) {
      if (!wanted.has(id)) {
        this.seen.unobserve(chart.figure);
        chart.end();
        this.charts.delete(id);
      }
    }
    for (const [id, group] of wanted) {
      if (!this.charts.has(id)) {
        const chart = new Chart(this, group, this.xOf(group));
        chart.figure.chart = chart;
        this.charts.set(id, chart);
      }
    }
    const figures = [...wanted.keys()].map((id) => this.charts.get(id).figure);
    if (figures.length !== this.box.children.length || figures.some((figure, index) => this.box.children[index] !== figure)) {
      this.box.replaceChildren(...figures);
    }
    for (const chart of this.charts.values()) {
      this.seen.observe(chart.figure);
      if (chart.visible && chart.received.size) chart.draw();
    }
  }

  report(found, keys, drawn) {
    const notes = [];
    if (found.length < this.all.length) notes.push(`${found.length} of ${this.all.length} keys`);
    if (drawn < keys.length) notes.push(`the chart has the first ${drawn} of ${keys.length}: search for others`);
    if (keys.length < found.length) notes.push(`${found.length - keys.length} keys are longer than ${LONGEST_KEY.toLocaleString()} characters and have no chart`);
    this.status.textContent = notes.join("; ");
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

  async renew(fresh) {
    const box = fresh.getElementById(this.box.id);
    if (box) {
      const runs = JSON.parse(box.dataset.runs);
      this.runs.forEach((run, index) => { run.running = runs[index]?.running ?? false; });
      const keys = JSON.parse(box.dataset.keys);
      const axes = this.form.elements.x;
      const fresher = fresh.querySelector(`form[data-charts="${this.box.id}"]`).elements.x;
      if (keys.length !== this.all.length || box.dataset.steps !== this.box.dataset.steps || fresher.length !== axes.length) {
        const chosen = axes.value;
        spell(fresher);
        const isNew = fresher.options[0].value === "" && axes.options[0].value !== "";
        axes.replaceChildren(...[...fresher.options].map((each) => document.adoptNode(each)));
        axes.value = isNew && chosen === "_step" ? "" : chosen;
        this.box.dataset.steps = box.dataset.steps;
        this.steps = new Map(Object.entries(JSON.parse(box.dataset.steps)));
        this.all = keys;
        this.arrange();
      }
    }
    await Promise.all([...this.charts.values()].map((chart) => chart.load()));
  }

  redraw() {
    for (const chart of this.charts.values()) if (chart.visible && chart.received.size) chart.draw();
  }
}

const panels = [...document.querySelectorAll("form[data-charts]")].map((form) => new Panel(form));
keepUp(() => panels.some((panel) => panel.running), (fresh) => Promise.all(panels.map((panel) => panel.renew(fresh))));
whenSchemeChanges(() => panels.forEach((panel) => panel.redraw()));
