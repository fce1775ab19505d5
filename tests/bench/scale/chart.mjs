// A chart (SVG) of time and memory against the count, both axes logarithmic, from the lines that scale.cc and node.mjs print.
//
//   node chart.mjs scale.jsonl > scale.svg
import fs from 'fs';
import {fileURLToPath} from 'url';

const kShapes = {distinct: 'distinct live modules', memories: 'live instances with a memory', rounds: 'rounds: create, call, drop'};
const kColours = {wattle: '#1a7f37', node: '#8250df'};
const kWidth = 300, kHeight = 200, kLeft = 60, kTop = 40, kGap = 70;

const text = (x, y, body, more = '') => `<text x="${x}" y="${y}" ${more}>${body}</text>`;

// One panel: lines of [count, value] for each runtime.
function panel(x, y, title, series, unit) {
  const points = Object.values(series).flat();
  const xs = [0, Math.ceil(Math.log10(Math.max(...points.map((p) => p[0]))))];
  const logs = points.map((p) => Math.log10(p[1]));
  const ys = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  const px = (value) => x + (Math.log10(value) - xs[0]) / (xs[1] - xs[0]) * kWidth;
  const py = (value) => y + kHeight - (Math.log10(value) - ys[0]) / (ys[1] - ys[0] || 1) * kHeight;
  let out = `<rect x="${x}" y="${y}" width="${kWidth}" height="${kHeight}" fill="none" stroke="#888"/>` + text(x, y - 10, title, 'font-weight="bold"');
  for (let e = xs[0]; e <= xs[1]; ++e) {
    out += `<line x1="${px(10 ** e)}" x2="${px(10 ** e)}" y1="${y}" y2="${y + kHeight}" stroke="#8884"/>`;
    out += text(px(10 ** e), y + kHeight + 15, (10 ** e).toLocaleString('en-US'), 'text-anchor="middle"');
  }
  for (let e = ys[0]; e <= ys[1]; ++e) {
    out += `<line x1="${x}" x2="${x + kWidth}" y1="${py(10 ** e)}" y2="${py(10 ** e)}" stroke="#8884"/>`;
    out += text(x - 5, py(10 ** e) + 4, unit(10 ** e), 'text-anchor="end"');
  }
  for (const [runtime, line] of Object.entries(series)) {
    if (!line.length) continue;
    const colour = kColours[runtime];
    out += `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${line.map((p) => `${px(p[0]).toFixed(1)},${py(p[1]).toFixed(1)}`).join(' ')}"/>`;
    const [count, value] = line.at(-1);
    out += `<circle cx="${px(count)}" cy="${py(value)}" r="4" fill="${colour}"/>`;
  }
  return out;
}

const seconds = (value) => value >= 1 ? `${value} s` : value >= 1e-3 ? `${+(value * 1e3).toFixed(3)} ms` : `${+(value * 1e6).toFixed(3)} µs`;
const bytes = (value) => value >= 1e9 ? `${value / 1e9} GB` : value >= 1e6 ? `${value / 1e6} MB` : `${value / 1e3} kB`;

export function chart(lines) {
  const shapes = Object.keys(kShapes).filter((shape) => lines.some((line) => line.shape === shape));
  const width = kLeft + 2 * kWidth + kGap + 30;
  const height = kTop + shapes.length * (kHeight + kGap) + 10;
  let out = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="11">` +
    `<rect width="${width}" height="${height}" fill="white"/>` +
    text(kLeft, 18, '● Wattle', `fill="${kColours.wattle}" font-size="13"`) +
    text(kLeft + 80, 18, '● node (a line ends where the process ended)', `fill="${kColours.node}" font-size="13"`);
  shapes.forEach((shape, i) => {
    const y = kTop + 10 + i * (kHeight + kGap);
    const series = (value) => Object.fromEntries(Object.keys(kColours).map((runtime) => [runtime,
      lines.filter((line) => line.runtime === runtime && line.shape === shape && line.stage === 'live').map((line) => [line.count, value(line)])]));
    out += panel(kLeft, y, `${kShapes[shape]}: time`, series((line) => Math.max(line.seconds, 1e-4)), seconds);
    out += panel(kLeft + kWidth + kGap, y, `${kShapes[shape]}: resident memory`, series((line) => line.resident), bytes);
  });
  return out + '</svg>\n';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lines = fs.readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  process.stdout.write(chart(lines));
}
