// Do traces agree?   node compare.mjs OURS.txt NAME=OTHER.txt…
// Prints one line for each module that differs, "MODULE NAME", and last how many comparisons were made. Modules that another runtime (any
// but those whose name begins with "wattle") refuses have nothing to compare, nor have those that ran out of time; those that only Wattle
// refuses differ.
import fs from 'node:fs';

function modules(file) {
  const all = new Map();
  let events;
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    if (line.startsWith('module ')) all.set(line.slice(7), events = []);
    else if (line) events?.push(line);
  }
  return all;
}

const ours = modules(process.argv[2]);
const counts = {};
for (const argument of process.argv.slice(3)) {
  const [name, file] = argument.split('=');
  const theirs = modules(file);
  const voice = counts[name] = { compared: 0, refused: 0 };
  for (const [module, events] of ours) {
    const other = theirs.get(module);
    const isRefused = other?.[0] === 'refused' && !name.startsWith('wattle');
    if (isRefused || events[0] === 'out of time' || other?.[0] === 'out of time') { voice.refused++; continue; }
    voice.compared++;
    if (other?.join('\n') !== events.join('\n')) console.log(`differs ${module} ${name}`);
  }
}
for (const [name, { compared, refused }] of Object.entries(counts)) console.log(`compared ${name} ${compared} ${refused}`);
