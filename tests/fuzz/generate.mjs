// Random modules by Binaryen's fuzzer, many in one process: for the wasm-opt of the npm package "binaryen", a script of node that knows
// what Debian's does not (garbage collection in its final form, exnref, ...). Its module is compiled once, and instantiated for each.
//   node generate.mjs WASM_OPT COUNT FOLDER FLAGS…      writes m0.wasm, m1.wasm, …
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [script, count, folder, ...flags] = process.argv.slice(2);
const source = fs.readFileSync(script, 'utf8').replace(/^#!.*/, '');
const wasmOpt = new Function('Module', 'require', 'module', '__filename', '__dirname', 'process', source);
const compiled = new Map();
const instantiate = WebAssembly.instantiate;
WebAssembly.instantiate = async (bytes, imports) => {
  if (bytes instanceof WebAssembly.Module) return instantiate(bytes, imports);
  if (!compiled.has(bytes.length)) compiled.set(bytes.length, await WebAssembly.compile(bytes));
  const module = compiled.get(bytes.length);
  return { module, instance: await instantiate(module, imports) };
};
process.on('unhandledRejection', () => {});   // its exit() is an exception

const random = path.join(folder, 'random');
for (let i = 0; i < Number(count); i++) {
  fs.writeFileSync(random, crypto.randomBytes(100 + crypto.randomInt(6000)));
  const output = path.join(folder, `m${i}.wasm`);
  await new Promise((resolve) => {
    const fake = Object.create(process, { argv: { value: ['node', script, '-q', '-ttf', ...flags, random, '-o', output] }, exitCode: { writable: true } });
    const module = { print: () => {}, printErr: () => {}, onExit: resolve, postRun: [resolve], onAbort: resolve };
    try { wasmOpt(module, createRequire(import.meta.url), { exports: {} }, script, path.dirname(script) + '/', fake); } catch { resolve(); }
  });
}
process.exit(0);
