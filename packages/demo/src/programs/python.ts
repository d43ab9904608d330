// Finds a Python for the bot, and installs its Postgres driver where that is missing. A process of its own, so that it
// can be ended with all that it started, at any moment.

import { writeFileSync } from 'node:fs';
import { findPython, PythonError } from '../python.ts';

const { DEMO_PYTHON_CACHE: cacheDir = '', DEMO_PYTHON_FOUND: found = '', ...env } = process.env;
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
try {
  writeFileSync(found, JSON.stringify(await findPython({ cacheDir, env, signal: ending.signal })));
} catch (error) {
  if (!(error instanceof PythonError)) throw error;
  process.stdout.write(`${error.message}\n`);
  process.exitCode = 1;
}
