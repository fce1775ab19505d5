// The programs of the .wat files beside this one, with JavaScript's objects.

class Node {
  constructor(value, next) { this.value = value; this.next = next; }
}
export function lists(n) {
  let sum = 0;
  for (; n > 0; n--) {
    let list = null;
    for (let i = 0; i < 1000; i++) list = new Node(i ^ (n & 255), list);
    for (; list !== null; list = list.next) sum += list.value;
  }
  return sum;
}

class Tree {
  constructor(left, right) { this.left = left; this.right = right; }
}
const makeTree = (depth) => depth === 0 ? new Tree(null, null) : new Tree(makeTree(depth - 1), makeTree(depth - 1));
const countTree = (tree) => tree.left === null ? 1 : 1 + countTree(tree.left) + countTree(tree.right);
export function trees(n) {
  const long = makeTree(n);
  let sum = 0;
  for (let depth = 4; depth <= n; depth += 4) {
    for (let times = 1 << (n + 2 - depth); times > 0; times--) sum += countTree(makeTree(depth));
  }
  return sum + countTree(long);
}

class Entry {
  constructor(key, value, next) { this.key = key; this.value = value; this.next = next; }
}
class HashMap {
  constructor() { this.table = new Array(16).fill(null); this.size = 0; }
  find(key) {
    let e = this.table[slotOf(this.table, key)];
    while (e !== null && e.key !== key) e = e.next;
    return e;
  }
  grow() {
    const table = new Array(this.table.length * 2).fill(null);
    for (let e of this.table) {
      while (e !== null) {
        const next = e.next;
        const slot = slotOf(table, e.key);
        e.next = table[slot];
        table[slot] = e;
        e = next;
      }
    }
    this.table = table;
  }
  count(key) {
    const e = this.find(key);
    if (e !== null) { e.value++; return; }
    if (this.size >= this.table.length) this.grow();
    const slot = slotOf(this.table, key);
    this.table[slot] = new Entry(key, 1, this.table[slot]);
    this.size++;
  }
  remove(key) {
    const slot = slotOf(this.table, key);
    let e = this.table[slot], before = null;
    for (; e !== null && e.key !== key; e = e.next) before = e;
    if (e === null) return;
    if (before === null) this.table[slot] = e.next;
    else before.next = e.next;
    this.size--;
  }
}
const slotOf = (table, key) => Math.imul(key, 0x9e3779b1) & (table.length - 1);
const keyOf = (i, n) => (Math.imul(i, 2654435) >>> 0) % n;
export function maps(n) {
  const map = new HashMap();
  for (let i = 0; i < n; i++) map.count(keyOf(i, n));
  for (let i = 0; i < n; i += 2) { map.remove(keyOf(i, n)); map.count(keyOf(i, n)); }
  let sum = 0;
  for (let i = 0; i < n; i++) sum += map.find(keyOf(i, n)).value;
  return sum + map.size;
}

export function arrays(n) {
  const ring = new Array(1024).fill(null);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const a = new Array(1 + (Math.imul(i, 97) & 255)).fill(i);
    for (let k = 0; k < a.length; k++) sum += a[k];
    ring[i & 1023] = a;
  }
  return sum;
}

class Shape {
  constructor(id) { this.id = id; }
}
class Square extends Shape {
  constructor(id, side) { super(id); this.side = side; }
}
class Box extends Shape {
  constructor(id, width, height) { super(id); this.width = width; this.height = height; }
}
function areaOf(s) {
  if (s instanceof Square) return s.side * s.side;
  if (s instanceof Box) return s.width * s.height;
  return 0;
}
export function shapes(n) {
  const ring = new Array(4096).fill(null);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    ring[i & 4095] = i & 1 ? new Square(i, 3) : new Box(i, 2, 4);
    sum += areaOf(ring[Math.imul(i, 31) & 4095]);
  }
  return sum;
}

class Item {
  constructor(id, weight) { this.id = id; this.weight = weight; }
}
export function survivors(n) {
  const kept = new Array(200000).fill(null);
  let seed = 12345, sum = 0;
  for (let i = 0; i < n; i++) {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    const place = (seed >>> 0) % 200000;
    const old = kept[place];
    if (old !== null) sum += old.id;
    kept[place] = new Item(i, 1);
  }
  return sum;
}
