// The shapes of scale.cc in node, with the same lines of output: node node.mjs distinct|identical|rounds|memories N
// Ends where V8 ends; its exit code, signal and last words are for the caller (scale.mjs) to report.
import fs from 'fs';

const [shape, countText] = process.argv.slice(2);
const n = Number(countText);
const start = process.hrtime.bigint();
let next = 1;

function line(stage, count) {
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const resident = Number(fs.readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096;
  const mappings = fs.readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1;
  fs.writeSync(1, JSON.stringify({runtime: 'node', shape, stage, count, seconds, resident, mappings}) + '\n');
}
function progress(count) {
  if (count < next) return;
  line('live', count);
  next = String(next)[0] === '2' ? next / 2 * 5 : next * 2;
}
function expect(condition, index) {
  if (!condition) throw new Error(`wrong result at ${index}`);
}

// The modules of modules.cc, as bytes.
const leb = (value) => [0, 7, 14, 21, 28].map((shift, i) => (value >> shift & 0x7f) | (i < 4 ? 0x80 : 0));
const constant = (value) => (1 << 27) + value;
const name = (text) => [text.length, ...Buffer.from(text)];
const section = (id, ...body) => [id, body.flat().length, ...body.flat()];
const func = (...code) => [code.length + 2, 0, ...code, 0x0b];
const kHead = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const tenant = (value) => Uint8Array.from([kHead,
  section(1, [2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 1, 0x7f]),
  section(2, [1], name('host'), name('tick'), [0, 0]),
  section(3, [4, 1, 0, 0, 0]),
  section(7, [2], name('run'), [0, 3], name('fail'), [0, 4]),
  section(10, [4], func(0x41, ...leb(constant(value))), func(0x10, 1, 0x10, 0, 0x20, 0, 0x6a), func(0x20, 0, 0x10, 2),
    func(0x10, 1, 0x20, 0, 0x6e))].flat());
const withMemory = Uint8Array.from([kHead,
  section(1, [1, 0x60, 1, 0x7f, 1, 0x7f]),
  section(3, [2, 0, 0]),
  section(5, [1, 0, 1]),
  section(7, [2], name('run'), [0, 0], name('peek'), [0, 1]),
  section(10, [2], func(0x41, 0x80, 0x20, 0x41, 0x80, 0x20, 0x28, 2, 0, 0x20, 0, 0x6a, 0x36, 2, 0, 0x41, 0x80, 0x20, 0x28, 2, 0),
    func(0x20, 0, 0x28, 2, 0))].flat());
const imports = {host: {tick: (x) => x + 1 | 0}};

const live = [];
if (shape === 'distinct' || shape === 'identical') {
  for (let i = 0; i < n; ++i) {
    const value = shape === 'distinct' ? i : 7;
    live.push(new WebAssembly.Instance(new WebAssembly.Module(tenant(value)), imports));
    expect(live[i].exports.run(2) === constant(value) + 3, i);
    progress(i + 1);
  }
} else if (shape === 'rounds') {
  for (let i = 0; i < n; ++i) {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(tenant(i)), imports);
    expect(instance.exports.run(2) === constant(i) + 3, i);
    progress(i + 1);
  }
} else if (shape === 'memories') {
  const module = new WebAssembly.Module(withMemory);
  for (let i = 0; i < n; ++i) {
    live.push(new WebAssembly.Instance(module));
    expect(live[i].exports.run(i) === i, i);
    progress(i + 1);
  }
}
line('done', n);
