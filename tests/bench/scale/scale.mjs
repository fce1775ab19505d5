// Wattle beside node at scale, in one run; then the chart.
//
//   node scale.mjs BUILD_FOLDER [COUNT]       COUNT: 1000000 by default; ten times as many rounds
//
// Prints a table for the README, and writes scale.jsonl and scale.svg (chart.mjs) into BUILD_FOLDER.
import {spawnSync} from 'child_process';
import fs from 'fs';
import path from 'path';
import {fileURLToPath} from 'url';
import {chart} from './chart.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const build = process.argv[2];
const count = Number(process.argv[3] ?? 1000000);
if (!build) {
  console.error('usage: node scale.mjs BUILD_FOLDER [COUNT]');
  process.exit(1);
}
const own = path.join(build, 'tests/bench/wattle_scale');

// Each is given ten minutes, or WATTLE_SCALE_SECONDS.
function measure(command, args) {
  const result = spawnSync(command, args, {encoding: 'utf8', timeout: (process.env.WATTLE_SCALE_SECONDS ?? 600) * 1e3, maxBuffer: 1 << 26});
  const lines = result.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  let end = '';
  if (result.error?.code === 'ETIMEDOUT') end = 'time over';
  else if (result.status !== 0) {
    const words = result.stderr.match(/(?:Fatal|RangeError|Error|OOM|out of memory)[^\n]*/);
    end = `${result.signal ?? `exit code ${result.status}`}${words ? `: ${words[0].slice(0, 90)}` : ''}`;
  }
  return {lines, end};
}

const number = (value) => value.toLocaleString('en-US', {maximumFractionDigits: value < 100 ? 1 : 0});
const all = [];
console.log('| shape | runtime | reached | µs each | KiB each | mappings | end |\n| --- | --- | --- | --- | --- | --- | --- |');
for (const [shape, times] of [['distinct', 1], ['identical', 1], ['memories', 1], ['rounds', 10]]) {
  for (const [runtime, command, args] of [['Wattle', own, []], ['node', process.execPath, [path.join(here, 'node.mjs')]]]) {
    const {lines, end} = measure(command, [...args, shape, String(count * times)]);
    all.push(...lines);
    const lives = lines.filter((line) => line.stage === 'live');
    const last = lives.at(-1), first = lives[0];
    if (!last) {
      console.log(`| ${shape} | ${runtime} | 0 | | | | ${end} |`);
      continue;
    }
    const each = shape === 'rounds' ? '' : number((last.resident - first.resident) / last.count / 1024);
    console.log(`| ${shape} | ${runtime} | ${number(last.count)} | ${number(last.seconds / last.count * 1e6)} | ${each} | ${last.mappings} | ${end || 'all'} |`);
  }
}
fs.writeFileSync(path.join(build, 'scale.jsonl'), all.map((line) => JSON.stringify(line)).join('\n') + '\n');
fs.writeFileSync(path.join(build, 'scale.svg'), chart(all));
