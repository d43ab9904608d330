// node packages/bench/src/main.ts [name…]: runs the benchmarks named, or all of them, and prints what they measured.

/** Each benchmark prints its own table. */
const BENCHMARKS: Record<string, () => Promise<void>> = {
  drain: async () => {
    const lines = await (await import('./drain.ts')).benchDrain();
    process.stdout.write(`${lines.join('\n')}\n`);
  },
  health: async () => (await import('./health-endpoint.ts')).benchHealthEndpoint(),
  dashboard: async () => (await import('./dashboard.ts')).benchDashboard(),
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(BENCHMARKS);
const unknown = wanted.filter((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown.length > 0) {
  process.stderr.write(
    `no benchmark is called ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}\n`,
  );
  process.exitCode = 2;
} else {
  for (const name of wanted) await BENCHMARKS[name]?.();
}
