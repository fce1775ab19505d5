// What trace.cc does, in node.   node trace.mjs FILE…
import fs from 'node:fs';
import path from 'node:path';

const out = [];
const print = (line) => out.push(line);
const f32 = new Float32Array(1), f32bits = new Uint32Array(f32.buffer);
const f64 = new Float64Array(1), f64bits = new BigUint64Array(f64.buffer);

// Types are not visible from JavaScript: a small reader of the type, import, function and export sections finds them.
function signatures(bytes) {
  let at = 8;
  const leb = () => { let v = 0n, s = 0n; for (;;) { const b = bytes[at++]; v |= BigInt(b & 127) << s; s += 7n; if (b < 128) return Number(v); } };
  const name = () => { const n = leb(); const s = new TextDecoder().decode(bytes.subarray(at, at + n)); at += n; return s; };
  const types = [], functions = [], exports = new Map(), imports = new Map();
  const limits = () => { const flags = bytes[at++]; leb(); if (flags & 1) leb(); };
  while (at < bytes.length) {
    const id = bytes[at++], size = leb(), end = at + size;
    if (id === 1) for (let n = leb(); n; n--) { at++; const list = () => Array.from({ length: leb() }, () => bytes[at++]); const params = list(); types.push({ params, results: list() }); }
    if (id === 2) for (let n = leb(); n; n--) {
      const module = name(), field = name(), kind = bytes[at++];
      if (kind === 0) { const type = types[leb()]; functions.push(type); imports.set(`${module}\0${field}`, type); }
      else if (kind === 1) { at++; limits(); }
      else if (kind === 2) limits();
      else if (kind === 3) at += 2;
      else { at++; leb(); }
    }
    if (id === 3) for (let n = leb(); n; n--) functions.push(types[leb()]);
    if (id === 7) for (let n = leb(); n; n--) { const field = name(), kind = bytes[at++], index = leb(); if (kind === 0) exports.set(field, functions[index]); }
    at = end;
  }
  return { exports, imports };
}

const V128 = 0x7b;
const isRef = (t) => t === 0x70 || t === 0x6f;
const zero = (t) => (t === 0x7e ? 0n : isRef(t) ? null : 0);
function show(v, t) {
  if (isRef(t)) return v === null ? 'null' : 'ref';
  if (t === 0x7f) return String(v | 0);
  if (t === 0x7e) return String(BigInt.asIntN(64, v));
  if (Number.isNaN(v)) return 'nan';
  if (t === 0x7d) { f32[0] = v; return 'f' + f32bits[0].toString(16).padStart(8, '0'); }
  f64[0] = v;
  return 'd' + f64bits[0].toString(16).padStart(16, '0');
}
const showAll = (values, types) => types.map((t, i) => ' ' + show(values[i], t)).join('');
function outcome(e) {
  if (e instanceof WebAssembly.Exception) return 'exception';
  if (e instanceof RangeError) return 'overflow';
  return e instanceof WebAssembly.RuntimeError ? 'trap' : 'error';
}

for (const file of process.argv.slice(2)) {
  print(`module ${path.basename(file)}`);
  const bytes = new Uint8Array(fs.readFileSync(file));
  let module;
  try { module = new WebAssembly.Module(bytes); } catch { print('refused'); continue; }
  const types = signatures(bytes);
  const imports = {};
  for (const i of WebAssembly.Module.imports(module)) {
    imports[i.module] ??= {};
    const type = types.imports.get(`${i.module}\0${i.name}`);
    if (i.kind === 'function') imports[i.module][i.name] = (...args) => {
      print(i.name + showAll(args, type.params));
      const results = type.results.map(zero);
      return results.length > 1 ? results : results[0];
    };
  }
  let instance;
  try { instance = new WebAssembly.Instance(module, imports); } catch (e) { print(`instantiation: ${outcome(e)}`); continue; }
  for (const e of WebAssembly.Module.exports(module)) {
    const type = types.exports.get(e.name);
    if (e.kind !== 'function' || [...type.params, ...type.results].includes(V128)) continue;
    print(`call ${e.name}`);
    try {
      const result = instance.exports[e.name](...type.params.map(zero));
      const values = type.results.length > 1 ? result : [result];
      print('=' + showAll(values, type.results));
    } catch (error) { print(outcome(error)); }
  }
  for (const e of WebAssembly.Module.exports(module)) {
    if (e.kind !== 'memory') continue;
    let hash = 2166136261;
    const contents = new Uint8Array(instance.exports[e.name].buffer);
    for (const byte of contents) hash = Math.imul(hash ^ byte, 16777619);
    print(`memory ${e.name} ${contents.length} ${hash >>> 0}`);
  }
}
console.log(out.join('\n'));
