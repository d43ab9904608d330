// node packages/bench/src/main.ts [part…] [--quick] [--json FILE]: measures the parts named, or those that need no
// more than this machine's node, and prints what they must reach beside it.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Measured } from './figure.ts';
import { machine } from './machine.ts';
import { markdownOf, type Report, short, textOf } from './report.ts';
import { type World, withWorld } from './world.ts';

/** The parts, in the order in which they are measured. `always`: also when no part is named. */
const PARTS: Readonly<Record<string, { always: boolean; measure: (world: World) => Promise<Measured> }>> = {
  endpoint: part(true, async () => (await import('./figures/endpoint.ts')).endpoint),
  extra: part(true, async () => (await import('./figures/extra.ts')).extra),
  start: part(true, async () => (await import('./figures/start.ts')).start),
  memory: part(true, async () => (await import('./figures/memory.ts')).memory),
  drain: part(true, async () => (await import('./figures/drain.ts')).drain),
  fault: part(true, async () => (await import('./figures/fault.ts')).fault),
  probes: part(true, async () => (await import('./figures/probes.ts')).probes),
  gate: part(true, async () => (await import('./figures/gate.ts')).gate),
  image: part(false, async () => (await import('./figures/image.ts')).image),
  tests: part(false, async () => (await import('./figures/tests.ts')).tests),
  dashboard: part(false, async () => (await import('./figures/dashboard.ts')).dashboard),
};

function part(
  always: boolean,
  load: () => Promise<(world: World) => Promise<Measured>>,
): { always: boolean; measure: (world: World) => Promise<Measured> } {
  return { always, measure: async (world) => (await load())(world) };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
});
const unknown = positionals.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  process.stderr.write(
    `the bench has no part ${unknown.join(', ')}; it has ${Object.keys(PARTS).join(', ')}\n`,
  );
  process.exitCode = 2;
} else {
  const here = machine();
  process.stdout.write(
    `${here.at}, Node ${here.node}, ${here.cores} cores of ${here.processor}, load before: ${short(here.load)}\n`,
  );
  const parts: Record<string, Measured> = {};
  await withWorld(values.quick, async (world) => {
    for (const [name, { always, measure }] of Object.entries(PARTS)) {
      if (positionals.length > 0 ? !positionals.includes(name) : !always) continue;
      world.say(`measuring: ${name}`);
      parts[name] = await measure(world);
      process.stdout.write(textOf(name, parts[name]));
    }
  });
  const report: Report = { machine: here, quick: values.quick, parts };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`\n${markdownOf(report)}`);
}
