import { defineConfig } from 'vitest/config';

// unit: pure, no socket. integration: real processes, sockets and Postgres. freqtrade: the real one. docker: a real engine.
// One kind after the other: on two cores they would wait for each other instead of for what they test.
const project = (order: number, name: string, include: string[], timeout: number) => ({
  test: {
    name,
    include,
    testTimeout: timeout,
    // A server that is started for the first time on a machine is read from a cold disk.
    hookTimeout: Math.max(timeout, 120_000),
    // They wait for time-outs and containers more than they compute.
    maxWorkers: [2, 3, 3, 2][order] ?? 1,
    // Real processes on a busy machine: a bound that was missed once is tried again, what misses it twice is broken.
    retry: name === 'unit' ? 0 : 1,
    sequence: { groupOrder: order },
    ...(order === 0 ? {} : { globalSetup: SETUP[name] ?? './vitest.tools.ts' }),
  },
});

const SETUP: Readonly<Record<string, string>> = {
  freqtrade: './packages/sidecar/test/freqtrade/support/install.ts',
};

export default defineConfig({
  test: {
    reporters: ['default', './vitest.count.ts'],
    projects: [
      project(0, 'unit', ['packages/*/test/unit/**/*.test.ts'], 10_000),
      project(
        1,
        'integration',
        ['packages/*/test/integration/**/*.test.ts', 'docker/*/test/integration/**/*.test.ts'],
        60_000,
      ),
      project(2, 'freqtrade', ['packages/*/test/freqtrade/**/*.test.ts'], 120_000),
      project(3, 'docker', ['docker/*/test/docker/**/*.test.ts'], 600_000),
    ],
  },
});
