import { defineConfig } from 'vitest/config';

// unit: pure, no socket. integration: real processes, sockets and Postgres. docker: a real engine.
const project = (name: string, include: string[], timeout: number) => ({
  test: { name, include, testTimeout: timeout, hookTimeout: timeout },
});

export default defineConfig({
  test: {
    reporters: ['default', './vitest.count.ts'],
    projects: [
      project('unit', ['packages/*/test/unit/**/*.test.ts'], 10_000),
      project(
        'integration',
        ['packages/*/test/integration/**/*.test.ts', 'docker/*/test/integration/**/*.test.ts'],
        60_000,
      ),
      project('docker', ['docker/*/test/docker/**/*.test.ts'], 600_000),
    ],
  },
});
