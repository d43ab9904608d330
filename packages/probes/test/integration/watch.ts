import { getActiveResourcesInfo } from 'node:process';
import { expect, vi } from 'vitest';
import { createMonitor, type Probe, type ProbeView } from '../../src/index.ts';

/** Sockets of this process that are open or connecting, and timers that are set. */
export function heldResources(): Record<string, number> {
  const held: Record<string, number> = {};
  for (const kind of getActiveResourcesInfo()) {
    if (/TCPSocketWrap|TCPConnectWrap|TLSWrap|GetAddrInfo/.test(kind)) held[kind] = (held[kind] ?? 0) + 1;
  }
  return held;
}

/** Waits until nothing more is held than before. */
export async function expectReleased(before: Record<string, number>): Promise<void> {
  await vi.waitFor(() => expect(heldResources()).toEqual(before), { timeout: 5000, interval: 10 });
}

/** Runs a probe once under a monitor with a time-out of 300 ms, and closes it. */
export async function checkOnce(probe: Probe, timeout = 300): Promise<ProbeView> {
  const monitor = createMonitor({ probes: [probe], timeout, failureThreshold: 1 });
  try {
    return await monitor.check(probe.name);
  } finally {
    await monitor.close();
  }
}
