#include "cli/dashboard_page.h"

namespace herd::cli {

const std::string_view dashboard_html = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>herd train</title>
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body>
<header>
  <h1>herd train</h1>
  <p id="state" role="status">waiting for the first step</p>
  <progress id="done" max="1" value="0" aria-label="tokens learned"></progress>
</header>
<main id="charts"></main>
<section id="experts" hidden>
  <h2>Load of each expert in the last step</h2>
  <p class="quiet">1 is an even share of the layer's tokens; outlined ones got none.</p>
  <div id="loads"></div>
</section>
<noscript><p>This page draws with JavaScript; the same figures are in curves.csv.</p></noscript>
</body>
</html>
)page";

const std::string_view dashboard_css = R"page(:root {
  color-scheme: light dark;
  --back: #fbfaf8; --card: #fff; --front: #1d1b19; --quiet: #6b655e; --line: #e0dbd4;
  --first: #1f6feb; --second: #c2410c; --wrong: #a3201b;
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #171614; --card: #1f1d1a; --front: #ebe7e1; --quiet: #a39c92; --line: #3a3731;
    --first: #6cb2ff; --second: #f5a362; --wrong: #ff8f85;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.25rem 2rem; max-width: 84rem; }
html { background: var(--back); color: var(--front); }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; align-items: baseline; }
h1 { font-size: 1.25rem; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .25rem; }
#state { margin: 0; font-variant-numeric: tabular-nums; }
#state.lost { color: var(--wrong); }
progress { flex-basis: 100%; width: 100%; height: .5rem; accent-color: var(--first); }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr));
       gap: 1rem; margin: 1rem 0; }
figure, #experts { margin: 0; padding: .75rem 1rem; background: var(--card);
                   border: 1px solid var(--line); border-radius: .5rem; }
figure.wide { grid-column: 1 / -1; }
figcaption { display: flex; flex-wrap: wrap; gap: 0 .6rem; font-weight: 600; }
figcaption .unit { font-weight: 400; color: var(--quiet); }
figcaption .value { margin-left: auto; font-weight: 400; color: var(--quiet);
                    font-variant-numeric: tabular-nums; }
.quiet { color: var(--quiet); margin: 0 0 .5rem; }
svg { display: block; width: 100%; height: 190px; overflow: visible; }
.wide svg { height: 300px; }
#loads svg { width: auto; height: auto; max-width: 100%; }
svg text { fill: var(--quiet); font-size: 12px; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
svg .s0 { stroke: var(--first); } svg .s1 { stroke: var(--second); }
svg text.s0 { fill: var(--first); stroke: none; }
svg text.s1 { fill: var(--second); stroke: none; }
svg .dot { fill: var(--second); stroke: none; }
svg .cross { stroke: var(--quiet); stroke-dasharray: 3 3; }
svg .cell { fill: var(--first); } svg .empty { fill: none; stroke: var(--wrong); }
)page";

const std::string_view dashboard_js = R"page('use strict';
// Polls /curves and draws what comes. Rows: see `columns` below; null where a value is not known.
const columns = ['step', 'tokens', 'loss', 'held_out', 'rate', 'gradient', 'speed', 'worst'];
const charts = [
  {title: 'Loss', unit: 'nats a token', wide: true,
   series: [['loss', 'training'], ['held_out', 'unseen samples']]},
  {title: 'Speed', unit: 'tokens a second', series: [['speed', '']], zero: true},
  {title: 'Rate', unit: '', series: [['rate', '']], zero: true},
  {title: 'Length of the gradient', unit: '', series: [['gradient', '']], zero: true},
  {title: 'Busiest expert', unit: 'times an even share', series: [['worst', '']], zero: true},
];
const left = 56, right = 12, top_ = 10, bottom = 24;
const svg_name = 'http://www.w3.org/2000/svg';
const $ = (id) => document.getElementById(id);

function shape(parent, name, attributes, text) {
  const made = document.createElementNS(svg_name, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return parent.appendChild(made);
}

function number(x) {
  if (x === null || x === undefined) return '–';
  const size = Math.abs(x);
  if (size >= 1e6) return (x / 1e6).toPrecision(4) + ' M';
  if (size >= 1000) return Math.round(x).toLocaleString('en');
  if (size !== 0 && size < 1e-3) return Number(x.toPrecision(3)).toExponential();
  return String(Number(x.toPrecision(4)));
}

// Round marks that cover low to high.
function marks(low, high, wanted) {
  if (!(high > low)) { high = low + Math.max(Math.abs(low) * 0.1, 1e-9); low -= high - low; }
  const rough = (high - low) / wanted, ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((s) => s * ten >= rough) * ten;
  const out = [];
  for (let x = Math.floor(low / step); x * step < high + step; ++x) out.push(x * step);
  return out;
}

class Chart {
  constructor(what) {
    this.what = what;
    const figure = document.createElement('figure');
    if (what.wide) figure.className = 'wide';
    const caption = figure.appendChild(document.createElement('figcaption'));
    caption.append(what.title);
    const unit = caption.appendChild(document.createElement('span'));
    unit.className = 'unit';
    unit.textContent = what.unit;
    this.value = caption.appendChild(document.createElement('span'));
    this.value.className = 'value';
    this.svg = shape(figure, 'svg', {role: 'img', 'aria-label': what.title});
    this.svg.addEventListener('pointermove', (event) => this.point(event));
    this.svg.addEventListener('pointerleave', () => { this.at = null; this.draw(this.rows); });
    $('charts').append(figure);
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * this.width;
    const inner = this.width - left - right;
    this.at = Math.min(1, Math.max(0, (x - left) / inner));
    this.draw(this.rows);
  }

  draw(rows) {
    this.rows = rows;
    this.svg.replaceChildren();
    this.width = this.svg.clientWidth || 600;
    this.height = this.svg.clientHeight || 190;
    if (!rows || rows.length === 0) return;
    const values = rows.flatMap((row) => this.what.series.map(([key]) => row[key]))
                       .filter((v) => v !== null);
    if (values.length === 0) return;
    const y_marks = marks(this.what.zero ? 0 : Math.min(...values), Math.max(...values), 4);
    const x_marks = marks(rows[0].tokens, rows[rows.length - 1].tokens, 6);
    const x_low = rows[0].tokens, x_high = Math.max(rows[rows.length - 1].tokens, x_low + 1);
    const y_low = y_marks[0], y_high = y_marks[y_marks.length - 1];
    const x = (t) => left + (t - x_low) / (x_high - x_low) * (this.width - left - right);
    const y = (v) => this.height - bottom
                     - (v - y_low) / (y_high - y_low) * (this.height - bottom - top_);
    for (const mark of y_marks) {
      shape(this.svg, 'line', {class: 'grid', x1: left, x2: this.width - right, y1: y(mark),
                               y2: y(mark)});
      shape(this.svg, 'text', {x: left - 6, y: y(mark) + 4, 'text-anchor': 'end'}, number(mark));
    }
    for (const mark of x_marks) {
      if (mark < x_low || mark > x_high) continue;
      shape(this.svg, 'text', {x: x(mark), y: this.height - 6, 'text-anchor': 'middle'},
            number(mark));
    }
    this.what.series.forEach(([key, label], s) => {
      const known = rows.filter((row) => row[key] !== null);
      if (known.length === 0) return;
      const path = known.map((row, i) => `${i ? 'L' : 'M'}${x(row.tokens).toFixed(1)} `
                                         + y(row[key]).toFixed(1)).join('');
      shape(this.svg, 'path', {class: `line s${s}`, d: path});
      if (s > 0 && known.length < 200)
        for (const row of known)
          shape(this.svg, 'circle', {class: 'dot', cx: x(row.tokens), cy: y(row[key]), r: 2.5});
      if (label)
        shape(this.svg, 'text', {class: `s${s}`, x: this.width - right - 8, y: top_ + 14 + 16 * s,
                                 'text-anchor': 'end'}, label);
    });
    this.say(x, x_low, x_high);
  }

  // The figures under the pointer, or the latest.
  say(x, x_low, x_high) {
    let row = this.rows[this.rows.length - 1];
    const wanted = x_low + this.at * (x_high - x_low);
    let where = '';
    if (this.at !== null && this.at !== undefined) {
      row = this.rows.reduce((a, b) => Math.abs(b.tokens - wanted) < Math.abs(a.tokens - wanted)
                                       ? b : a);
      where = ` at ${number(row.tokens)}`;
      shape(this.svg, 'line', {class: 'cross', x1: x(row.tokens), x2: x(row.tokens), y1: top_,
                               y2: this.height - bottom});
    }
    const parts = this.what.series.map(([key, label]) =>
        row[key] === null ? '' : number(row[key]) + (label ? ` ${label}` : ''));
    this.value.textContent = parts.filter(Boolean).join(' · ') + where;
  }
}

const drawn = charts.map((what) => new Chart(what));

function draw_loads(loads) {
  $('experts').hidden = loads.length === 0;
  const cell = 26, gap = 3, name = 70;
  const most = Math.max(1, ...loads.map((l) => l.count.length));
  const width = name + most * (cell + gap);
  const svg = document.createElementNS(svg_name, 'svg');
  const height = loads.length * (cell + gap);
  for (const [key, value] of Object.entries({width, height, viewBox: `0 0 ${width} ${height}`}))
    svg.setAttribute(key, value);
  loads.forEach(({layer, count}, row) => {
    const mean = count.reduce((a, b) => a + b, 0) / count.length;
    const y = row * (cell + gap);
    shape(svg, 'text', {x: 0, y: y + 17}, `layer ${layer}`);
    count.forEach((c, i) => {
      const share = mean > 0 ? c / mean : 0;
      const box = {x: name + i * (cell + gap), y, width: cell, height: cell, rx: 3};
      if (c === 0) box.class = 'empty';
      else Object.assign(box, {class: 'cell', 'fill-opacity': Math.min(1, 0.12 + share * 0.29)});
      const made = shape(svg, 'rect', box);
      shape(made, 'title', {}, `layer ${layer}, expert ${i}: ${share.toFixed(2)}`);
    });
  });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', 'load per expert');
  $('loads').replaceChildren(svg);
}

function span(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function show(news) {
  const rows = news.rows.map((row) => Object.fromEntries(columns.map((c, i) => [c, row[i]])));
  $('state').classList.remove('lost');
  $('done').value = news.total > 0 ? news.tokens / news.total : 0;
  if (rows.length > 0)
    $('state').textContent = `${news.stage} · step ${news.step} · ${number(news.tokens)} of `
        + `${number(news.total)} tokens`
        + (news.seconds_left > 0 ? ` · ${span(news.seconds_left)} left` : '')
        + (news.unused ? ` · ${news.unused} experts unused` : '')
        + (news.skipped ? ` · ${news.skipped} steps skipped` : '');
  for (const chart of drawn) chart.draw(rows);
  draw_loads(news.loads);
}

async function poll() {
  try {
    const answer = await fetch('curves', {cache: 'no-store'});
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
  } catch {
    $('state').classList.add('lost');
    $('state').textContent = 'the training does not answer: it has ended, or is stopped';
  }
  setTimeout(poll, document.hidden ? 10000 : 2000);
}
addEventListener('resize', () => drawn.forEach((chart) => chart.draw(chart.rows)));
poll();
)page";

}  // namespace herd::cli
