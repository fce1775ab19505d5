// Wattle beside node, in one run: whole-module compilation, start of large modules, code speed of the kernels, garbage-collected objects,
// whole-process start.
// Prints Markdown tables; ratios are peer's time over Wattle's (above 1: Wattle is faster).
//
//   node tests/bench/peers.mjs BUILD_DIR [MODULE.wasm ...]
//
// Node before release 22 refuses garbage-collected modules in their final form; GC_NODE names a newer one to run them.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const here = path.dirname(self);
const median = (a) => [...a].sort((x, y) => x - y)[a.length >> 1];

// --- the node side: this file again, in a child with the flags of the tier ---
// Median of 7 runs after some to warm up; and their mean processor time, of all threads.
function tellTimes(warm, run) {
  const n = Number(process.env.PEER_N);
  const times = [];
  let result, before;
  for (let i = 0; i < warm + 7; i++) {
    if (i === warm) before = process.cpuUsage();
    const start = performance.now();
    result = run(n);
    if (i >= warm) times.push(performance.now() - start);
  }
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ ms: median(times), cpu: (user + system) / 7000, result: String(result) }));
  process.exit(0);
}
if (process.env.PEER_COMPILE) {
  // V8 remembers modules by their bytes, so each round appends another custom section.
  const source = fs.readFileSync(process.env.PEER_COMPILE);
  const times = [];
  for (let i = 0; i < 5; i++) {
    const bytes = new Uint8Array(source.length + 8);
    bytes.set(source);
    bytes.set([0, 6, 1, 0x78, i, 1, 2, 3], source.length);
    const start = performance.now();
    const module = new WebAssembly.Module(bytes);
    times.push(performance.now() - start);
    if (!module) process.exit(1);
  }
  console.log(JSON.stringify({ ms: median(times) }));
  process.exit(0);
}
if (process.env.PEER_KERNEL) {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(process.env.PEER_KERNEL)));
  tellTimes(1 + Number(process.env.PEER_WARM ?? 0), instance.exports.run);
}
if (process.env.PEER_OBJECTS) {
  const program = (await import('./gc/objects.mjs'))[process.env.PEER_OBJECTS];
  tellTimes(5, program);
}

function run(command, args, env = {}) {
  const done = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  try {
    return JSON.parse(done.stdout);
  } catch {
    return { ms: NaN, error: (done.stderr ?? '').trim().split('\n')[0] };
  }
}
const node = (flags, env, program = process.execPath) => run(program, [...flags, self], env);
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);
const header = (...cells) => { row(...cells); row(...cells.map(() => '---')); };
const ratio = (peer, own) => (peer / own).toFixed(2);

const [build, ...modules] = process.argv.slice(2);
if (!build) {
  console.error('usage: node peers.mjs BUILD_DIR [MODULE.wasm ...]');
  process.exit(1);
}
const timer = path.join(build, 'tests/bench/wattle_timer');
const wattle = path.join(build, 'wattle');

console.log(`Node ${process.version} (V8 ${process.versions.v8}).\n`);

if (modules.length) {
  console.log('Whole-module compilation, all processors, ms:\n');
  header('module', 'MB', 'Wattle eager', 'Liftoff eager', 'ratio', 'MB/s', 'Wattle lazy', 'V8 lazy', 'ratio');
  for (const file of modules) {
    const mb = fs.statSync(file).size / 1e6;
    const eager = run(timer, ['compile', file, 'eager']);
    const liftoff = node(['--liftoff-only', '--no-wasm-lazy-compilation'], { PEER_COMPILE: file });
    const lazy = run(timer, ['compile', file, 'lazy']);
    const v8 = node([], { PEER_COMPILE: file });
    row(path.basename(file), mb.toFixed(1), eager.error ?? eager.ms.toFixed(1), liftoff.ms.toFixed(1), ratio(liftoff.ms, eager.ms),
        (mb * 1000 / eager.ms).toFixed(0), lazy.error ?? lazy.ms.toFixed(1), v8.ms.toFixed(1), ratio(v8.ms, lazy.ms));
  }
  console.log();
}

console.log('Code speed, baseline tiers (and V8\'s optimizing tier for comparison), ms:\n');
header('kernel', 'Wattle', 'Liftoff', 'ratio', 'TurboFan', 'ratio');
const sizes = JSON.parse(fs.readFileSync(path.join(here, 'kernels/sizes.json'), 'utf8'));
const ratios = [];
for (const [name, n] of Object.entries(sizes)) {
  const file = path.join(build, `tests/bench/kernels/${name}.wasm`);
  const own = run(timer, ['kernel', file, String(n)]);
  const liftoff = node(['--liftoff-only'], { PEER_KERNEL: file, PEER_N: String(n) });
  const turbofan = node([], { PEER_KERNEL: file, PEER_N: String(n), PEER_WARM: '4' });
  if (own.result !== liftoff.result) console.error(`${name}: results differ: ${own.result ?? own.error}, ${liftoff.result}`);
  ratios.push(liftoff.ms / own.ms);
  row(name, own.ms.toFixed(1), liftoff.ms.toFixed(1), ratio(liftoff.ms, own.ms), turbofan.ms.toFixed(1), ratio(turbofan.ms, own.ms));
}
const mean = Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length);
console.log(`\nGeometric mean of the ratios to Liftoff: ${mean.toFixed(2)}.\n`);

// The least processor time of several, with the contenders taking turns: what others do on the machine comes in bursts.
function best(contenders, rounds = 5) {
  const results = contenders.map((run) => run());
  for (let round = 1; round < rounds; round++) {
    contenders.forEach((run, i) => {
      if (!results[i].error) results[i].cpu = Math.min(results[i].cpu, run().cpu);
    });
  }
  return results;
}

// Programs that do little but allocate. The same in JavaScript is there for any node; the same module for one that takes it.
const gcNode = process.env.GC_NODE ?? process.execPath;
const gcVersion = spawnSync(gcNode, ['--version'], { encoding: 'utf8' }).stdout.trim();
console.log(`Garbage-collected objects (modules in gc/ in node ${gcVersion}; the same in JavaScript in this node), ms of processor time, all threads:\n`);
header('program', 'Wattle', 'Liftoff', 'ratio', 'TurboFan', 'ratio', 'JavaScript', 'ratio');
for (const [name, n] of Object.entries(JSON.parse(fs.readFileSync(path.join(here, 'gc/sizes.json'), 'utf8')))) {
  const file = path.join(build, `tests/bench/gc/${name}.wasm`);
  const env = { PEER_KERNEL: file, PEER_N: String(n) };
  const [own, liftoff, turbofan, objects] = best([
    () => run(timer, ['kernel', file, String(n)]),
    () => node(['--liftoff-only'], env, gcNode),
    () => node([], { ...env, PEER_WARM: '4' }, gcNode),
    () => node([], { PEER_OBJECTS: name, PEER_N: String(n) }),
  ]);
  for (const peer of [liftoff, turbofan, objects]) {
    if (!peer.error && peer.result !== own.result) console.error(`${name}: results differ: ${own.result ?? own.error}, ${peer.result}`);
  }
  const cells = [liftoff, turbofan, objects].flatMap((p) => p.error ? ['refused', ''] : [p.cpu.toFixed(1), ratio(p.cpu, own.cpu)]);
  row(name, own.cpu.toFixed(1), ...cells);
}
console.log();

const hello = path.join(build, 'tests/programs/hello.wasm');
if (fs.existsSync(hello)) {
  const wasi = `import{WASI}from'node:wasi';import fs from'node:fs';const w=new WASI({version:'preview1'});` +
    `w.start(new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync('${hello}')),w.getImportObject()))`;
  const time = (command, args) => {
    const times = [];
    for (let i = 0; i < 21; i++) {
      const start = performance.now();
      spawnSync(command, args, { env: { ...process.env, NODE_NO_WARNINGS: '1' } });
      times.push(performance.now() - start);
    }
    return median(times);
  };
  const own = time(wattle, ['run', hello]);
  const peer = time(process.execPath, ['--input-type=module', '-e', wasi]);
  console.log('Hello world, whole process, ms:\n');
  header('Wattle', 'node', 'ratio');
  row(own.toFixed(2), peer.toFixed(1), ratio(peer, own));
}
