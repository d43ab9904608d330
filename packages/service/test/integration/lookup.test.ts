import type { LookupAddress } from 'node:dns';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLookup, type NameLookup } from '../../src/lookup.ts';
import { type NameServer, startNameServer } from '../support/name-server.ts';
import { until } from '../support/processes.ts';

let server: NameServer;
let folder: string;

beforeEach(async () => {
  server = await startNameServer();
  folder = mkdtempSync(join(tmpdir(), 'botwarden-lookup-'));
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function make({ hosts = '', search = '' } = {}): NameLookup {
  const [hostsFile, searchFile] = [join(folder, 'hosts'), join(folder, 'resolv.conf')];
  writeFileSync(hostsFile, hosts);
  writeFileSync(searchFile, search);
  return createLookup({ hostsFile, searchFile, servers: [server.server] });
}

/** The addresses of a name, as a connection asks for them; rejects with the error that it would get. */
function find(lookup: NameLookup, name: string, signal = AbortSignal.timeout(20_000)): Promise<string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  lookup(signal)(name, { all: true }, (error, found) => {
    if (error !== null) reject(error);
    else resolve((found as LookupAddress[]).map(({ address }) => address));
  });
  return promise;
}

describe('a name', () => {
  it('is found in the hosts file first, then by the name server', async () => {
    server.set('bot', '127.0.0.3');
    server.set('db.example', '127.0.0.4');
    const lookup = make({ hosts: '# ours\n127.0.0.2\tbot  other # not this\n::2 bot\n\nnonsense here\n' });
    expect(await find(lookup, 'BOT')).toEqual(['127.0.0.2', '::2']);
    expect(await find(lookup, 'other')).toEqual(['127.0.0.2']);
    expect(await find(lookup, 'db.example')).toEqual(['127.0.0.4']);
    expect(server.asked()).toEqual(['db.example']);
  });

  it('of this machine needs neither', async () => {
    const lookup = make();
    expect(await find(lookup, 'localhost')).toEqual(['127.0.0.1', '::1']);
    expect(await find(lookup, 'page.localhost')).toEqual(['127.0.0.1', '::1']);
    expect(server.asked()).toEqual([]);
  });

  it('without a dot is searched for in the domains of the system, as in Kubernetes', async () => {
    server.set('bot.trading.svc.cluster.local', '127.0.0.5');
    const search = 'search trading.svc.cluster.local svc.cluster.local.\noptions ndots:5\n';
    expect(await find(make({ search }), 'bot')).toEqual(['127.0.0.5']);
    expect(server.asked()).toEqual(['bot.trading.svc.cluster.local']);
  });

  it('without a dot is asked for as it is where the system says so, as in Docker', async () => {
    server.set('bot', '127.0.0.6');
    expect(await find(make({ search: 'search example.org\noptions ndots:0\n' }), 'bot')).toEqual([
      '127.0.0.6',
    ]);
    expect(server.asked()).toEqual(['bot']);
  });

  it('that does not exist is told apart from one that no server could tell of', async () => {
    server.set('broken.example', 'failed');
    const lookup = make();
    await expect(find(lookup, 'nobody.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(find(lookup, 'broken.example')).rejects.toMatchObject({ code: 'EAI_AGAIN' });
  });

  it('that two ask for at once is asked for once', async () => {
    server.set('bot.example', '127.0.0.7', 50);
    const lookup = make();
    await Promise.all([find(lookup, 'bot.example'), find(lookup, 'bot.example')]);
    expect(server.asked()).toEqual(['bot.example']);
  });
});

describe('a name server that hangs', () => {
  it('is not asked on when the call has ended', async () => {
    server.set('bot.example', 'silence');
    const call = new AbortController();
    const waiting = find(make(), 'bot.example', call.signal);
    await until('it is asked', () => server.asked().length > 0);
    call.abort(new Error('given up'));
    await expect(waiting).rejects.toThrow('given up');
    // Longer than the pause after which it would be asked again.
    await delay(1_500);
    expect(server.asked()).toEqual(['bot.example']);
  });

  it('goes on being asked for another call', async () => {
    server.set('bot.example', '127.0.0.8', 300);
    const lookup = make();
    const call = new AbortController();
    const gone = find(lookup, 'bot.example', call.signal);
    const stays = find(lookup, 'bot.example');
    call.abort(new Error('given up'));
    await expect(gone).rejects.toThrow('given up');
    expect(await stays).toEqual(['127.0.0.8']);
  });

  it('keeps no thread: files are read and other names found meanwhile', async () => {
    server.set('here.example', '127.0.0.9');
    const lookup = make();
    const dead = Array.from({ length: 16 }, (_, at) => {
      server.set(`dead-${at}.example`, 'silence');
      return find(lookup, `dead-${at}.example`).catch(() => 'over');
    });
    await until('all are asked', () => server.asked().length >= 16);
    const first = await Promise.race([
      ...dead,
      Promise.all([readFile(join(folder, 'hosts')), find(lookup, 'here.example')]).then(() => 'meanwhile'),
    ]);
    expect(first).toBe('meanwhile');
    expect(process.getActiveResourcesInfo()).not.toContain('GetAddrInfoReqWrap');
    await Promise.all(dead);
  });
});

describe('a name that has resolved before', () => {
  it.each(['silence', 'none', 'failed'] as const)('is reached at its last address on %s', async (answer) => {
    server.set('bot.example', '127.0.0.10');
    const lookup = make();
    const told: Array<[string, string | null]> = [];
    lookup.onStale((name, code) => told.push([name, code]));
    expect(await find(lookup, 'bot.example')).toEqual(['127.0.0.10']);
    server.set('bot.example', answer);
    expect(await find(lookup, 'bot.example')).toEqual(['127.0.0.10']);
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([['bot.example', answer === 'none' ? 'ENOTFOUND' : 'EAI_AGAIN']]);

    server.set('bot.example', '127.0.0.11');
    await until(
      'the new address is used',
      async () => (await find(lookup, 'bot.example'))[0] === '127.0.0.11',
    );
    expect(told.slice(1)).toEqual([['bot.example', null]]);
  });

  it('has its new address with the next call, where the server takes long', async () => {
    server.set('bot.example', '127.0.0.12');
    const lookup = make();
    await find(lookup, 'bot.example');
    server.set('bot.example', '127.0.0.13', 400);
    expect(await find(lookup, 'bot.example')).toEqual(['127.0.0.12']);
    await until(
      'the new address is used',
      async () => (await find(lookup, 'bot.example'))[0] === '127.0.0.13',
    );
  });
});
