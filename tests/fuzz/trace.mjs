// What trace.cc does, in node.   node trace.mjs FILE…
import fs from 'node:fs';
import path from 'node:path';

const out = [];
const print = (line) => out.push(line);
const f32 = new Float32Array(1), f32bits = new Uint32Array(f32.buffer);
const f64 = new Float64Array(1), f64bits = new BigUint64Array(f64.buffer);

// Types are not visible from JavaScript: a reader of the sections up to the exports finds them.
const numeric = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64', 0x7b: 'v128', 0x78: 'i8', 0x77: 'i16' };
const EXN = 0x69, NOEXN = 0x74, EXTERN = 0x6f;
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 8;
    this.types = [];
    this.functions = [];
    this.tags = [];
    this.globals = [];
    this.imports = [];
    this.exports = [];
    while (this.at < bytes.length) {
      const id = bytes[this.at++], size = this.leb(), end = this.at + size;
      if (id === 1) this.each(() => this.recursionGroup());
      if (id === 2) this.each(() => this.import());
      if (id === 3) this.each(() => this.functions.push(this.types[this.leb()]));
      if (id === 6) this.each(() => { this.globals.push(this.valueType()); this.at++; this.constant(); });
      if (id === 13) this.each(() => this.tags.push(this.tag()));
      if (id === 7) this.each(() => this.exports.push({ name: this.name(), kind: bytes[this.at++], index: this.leb() }));
      this.at = end;
    }
  }
  leb() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  }
  each(read) { for (let n = this.leb(); n > 0; n--) read(); }
  list(read) { const all = []; this.each(() => all.push(read())); return all; }
  name() { const n = this.leb(); this.at += n; return new TextDecoder().decode(this.bytes.subarray(this.at - n, this.at)); }
  heapType() {
    if (this.bytes[this.at] === 0x62) this.at++;
    const byte = this.bytes[this.at];
    if (byte >= 0x40 && byte < 0x80) { this.at++; return byte; }
    return -1 - this.leb();
  }
  valueType() {
    const byte = this.bytes[this.at];
    if (numeric[byte]) { this.at++; return { kind: numeric[byte] }; }
    if (byte === 0x63 || byte === 0x64) { this.at++; return { kind: 'ref', nullable: byte === 0x63, heap: this.heapType() }; }
    this.at++;
    return { kind: 'ref', nullable: true, heap: byte };
  }
  recursionGroup() {
    if (this.bytes[this.at] === 0x4e) { this.at++; this.each(() => this.subType()); } else this.subType();
  }
  subType() {
    if (this.bytes[this.at] === 0x50 || this.bytes[this.at] === 0x4f) { this.at++; this.each(() => this.leb()); }
    while (this.bytes[this.at] === 0x4c || this.bytes[this.at] === 0x4d) { this.at++; this.leb(); }
    const form = this.bytes[this.at++];
    const field = () => { this.valueType(); this.at++; };
    if (form === 0x60) return this.types.push({ params: this.list(() => this.valueType()), results: this.list(() => this.valueType()) });
    if (form === 0x5f) this.each(field); else field();
    this.types.push(null);
  }
  limits() { const flags = this.bytes[this.at++]; this.leb(); if (flags & 1) this.leb(); if (flags & 8) this.leb(); }
  tag() { this.at++; return this.types[this.leb()]; }
  import() {
    const module = this.name(), name = this.name(), kind = this.bytes[this.at++];
    const import_ = { module, name, kind };
    if (kind === 0 || kind === 0x20) this.functions.push(import_.type = this.types[this.leb()]);
    else if (kind === 1) { this.valueType(); this.limits(); }
    else if (kind === 2) this.limits();
    else if (kind === 3) { this.globals.push(import_.type = this.valueType()); import_.mutable = this.bytes[this.at++]; }
    else this.tags.push(import_.type = this.tag());
    this.imports.push(import_);
  }
  // Only what constants of fuzzed modules hold; its end is not sought further.
  constant() {
    for (;;) {
      const op = this.bytes[this.at++];
      if (op === 0x0b) return;
      if (op === 0x41 || op === 0x42 || op === 0x23 || op === 0xd2) this.leb();
      else if (op === 0x43) this.at += 4;
      else if (op === 0x44) this.at += 8;
      else if (op === 0xd0) this.heapType();
      else if (op === 0xfd) { this.leb(); this.at += 16; }
      else if (op === 0xfb) {
        const code = this.leb();
        if (code <= 1 || code === 6 || code === 7) this.leb();
        else if (code === 32 || code === 33) this.leb();
        else if (code === 8) { this.leb(); this.leb(); }
      }
    }
  }
}

const passes = (t, toGuest) => t.kind !== 'v128' && t.heap !== EXN && t.heap !== NOEXN && (!toGuest || t.kind !== 'ref' || t.nullable);
const isCallable = (type) => type.params.every((t) => passes(t, true)) && type.results.every((t) => passes(t, false));
const zero = (t) => (t.kind === 'i64' ? 0n : t.kind === 'ref' ? null : 0);
function show(v, t) {
  if (t.kind === 'ref') return v === null ? 'null' : 'ref';
  if (t.kind === 'i32') return String(v | 0);
  if (t.kind === 'i64') return String(BigInt.asIntN(64, v));
  if (Number.isNaN(v)) return 'nan';
  if (t.kind === 'f32') { f32[0] = v; return 'f' + f32bits[0].toString(16).padStart(8, '0'); }
  f64[0] = v;
  return 'd' + f64bits[0].toString(16).padStart(16, '0');
}
const showAll = (values, types) => types.map((t, i) => ' ' + show(values[i], t)).join('');
function outcome(e) {
  if (e instanceof WebAssembly.Exception || e instanceof TypeError) return 'exception';
  if (e instanceof RangeError) return 'overflow';
  return e instanceof WebAssembly.RuntimeError ? 'trap' : 'error';
}

function run(bytes) {
  let module;
  try { module = new WebAssembly.Module(bytes); } catch (e) { console.error(e.message); return print('refused'); }
  const { imports, exports, functions, globals } = new Reader(bytes);
  const callable = [];
  let tag, tagType, depth = 0, reentries = 0;
  const call = ({ name, type, function: f }) => {
    print(`call ${name}`);
    try {
      const result = f(...type.params.map(zero));
      print('=' + showAll(type.results.length > 1 ? result : [result], type.results));
    } catch (error) { print(outcome(error)); }
  };
  const hostFunction = ({ name, type }) => (...args) => {
    print(name + showAll(args, type.params));
    if (name === 'throw' && tag && JSON.stringify(tagType.params) === JSON.stringify(type.params)) throw new WebAssembly.Exception(tag, args);
    if (name.startsWith('call-export') && depth === 0 && ++reentries < 20) {
      depth++;
      if (args[0] >>> 0 < callable.length) call(callable[args[0] >>> 0]);
      depth--;
    }
    const results = type.results.map(zero);
    return results.length > 1 ? results : results[0];
  };
  const objects = {};
  for (const i of imports) {
    const add = (what) => { (objects[i.module] ??= {})[i.name] = what; };
    if (i.kind === 0 || i.kind === 0x20) add(hostFunction(i));
    else if (i.kind === 4) {
      add(new WebAssembly.Tag({ parameters: i.type.params.map((t) => (t.kind !== 'ref' ? t.kind : t.heap === EXTERN ? 'externref' : 'anyfunc')) }));
      if (i.name === 'wasmtag') { tag = objects[i.module][i.name]; tagType = i.type; }
    } else if (i.kind === 3 && !i.mutable) add(i.type.heap === EXTERN ? {} : zero(i.type));
  }
  let instance;
  try { instance = new WebAssembly.Instance(module, objects); } catch (e) {
    if (!(e instanceof WebAssembly.RuntimeError)) console.error(e.message);
    return print(`instantiation: ${outcome(e)}`);
  }
  for (const { name, kind, index } of exports) {
    if (kind === 0 && isCallable(functions[index])) callable.push({ name, type: functions[index], function: instance.exports[name] });
  }
  for (const f of callable) call(f);
  for (const { name, kind, index } of exports) {
    if (kind === 2) {
      let hash = 2166136261;
      const contents = new Uint8Array(instance.exports[name].buffer);
      for (const byte of contents) hash = Math.imul(hash ^ byte, 16777619);
      print(`memory ${name} ${contents.length} ${hash >>> 0}`);
    }
    if (kind === 3 && passes(globals[index], false)) print(`global ${name} ${show(instance.exports[name].value, globals[index])}`);
  }
}

for (const file of process.argv.slice(2)) {
  print(`module ${path.basename(file)}`);
  run(new Uint8Array(fs.readFileSync(file)));
}
console.log(out.join('\n'));
