import type { Host } from '../host.ts';
/** placeholder */
export async function checkBot(_args: readonly string[], host: Host): Promise<number> {
  host.stderr.write('not yet\n');
  return 2;
}
