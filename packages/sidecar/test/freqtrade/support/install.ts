import { readFileSync } from 'node:fs';
import { pythonEnvironment } from '../../../../../vitest.python.ts';

const REQUIREMENTS = new URL('requirements.txt', import.meta.url).pathname;

/** The release that the tests are run with. */
export const FREQTRADE = /^freqtrade==(.*)$/m.exec(readFileSync(REQUIREMENTS, 'utf8'))?.[1] ?? '';

/** The interpreter of an environment with freqtrade, which needs Python 3.11; installed once, below node_modules/.cache. */
export const freqtradePython = (): Promise<string> => pythonEnvironment(REQUIREMENTS);

/** Before the tests: they are not to wait for the network. */
export default async function setup(): Promise<void> {
  await freqtradePython();
}
