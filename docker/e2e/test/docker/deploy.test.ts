import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineMissing } from './engine.ts';
import { Host } from './host.ts';
import { eventually } from './stack.ts';

/** The names of the steps of a ship that reaches its end. */
const STEPS = [
  'Check this host',
  'Back up the database',
  'Build or pull',
  'Close every position',
  'Stop the old release',
  'Start the new release',
  'Verify',
];

// One story: what a test leaves is where the next one begins, so none can be tried a second time.
describe.skipIf(engineMissing)('docker/deploy, on a host with a clean clone', { retry: 0 }, () => {
  let host: Host;
  beforeAll(async () => {
    host = await Host.prepare('deploy');
  });
  afterAll(() => host?.[Symbol.asyncDispose]());

  /** From the database: no boot of the bot traded while another did, and none left anything behind. */
  async function neverTwoBotsAndNothingLeft(): Promise<void> {
    const boots = await host.boots();
    for (const [index, boot] of boots.entries()) {
      const next = boots[index + 1];
      if (next === undefined) continue;
      expect(boot.last, `boot ${boot.instance} ended before ${next.instance} traded`).toBeLessThan(
        next.first,
      );
      expect(boot.leftOpen, `what boot ${boot.instance} left open`).toBe(0);
    }
  }

  test('check names everything that is missing at once, and changes nothing', async () => {
    const env = path.join(host.folder, '.env');
    const before = await readFile(env, 'utf8');
    const { status, stdout, stderr } = await host.deploy(['check'], {
      SECRETS_DIR: './docker/secrets/development',
      BOT_IMAGE: 'registry.invalid/bot:1',
    });
    expect(status).toBe(1);
    expect(stdout).toContain('the secret bot_token is the one for trying out');
    expect(stdout).toContain('BOT_IMAGE is set in the environment');
    expect(stdout).toContain('registry.invalid/bot:1 is neither on this host nor in its registry');
    expect(stderr).toContain('nothing was changed');
    expect(await readFile(env, 'utf8')).toBe(before);
  });

  test('--dry-run tells every step and takes none', async () => {
    const said = await host.deployOk('--dry-run', 'ship', 'a');
    for (const name of STEPS) expect(said).toContain(`] ${name}`);
    expect(await host.compose('ps', '--all', '--quiet')).toBe('');
    await expect(host.journal()).rejects.toThrow(/ENOENT/);
  });

  test('release a is installed by the same command as every later one', async () => {
    await host.change('LABEL release=a');
    const said = await host.deployOk('ship', 'a');
    expect(said).toMatch(/ok +model signal \S+ is loaded/);
    expect(said).toMatch(/ok +first tick seen after the start of the bot/);
    expect((await host.journal()).at(-1)).toMatchObject({ action: 'ship', result: 'good', release: 'a' });
  });

  test('release b replaces it while it holds positions: flat in between, never two bots, and both are on record', async () => {
    await host.holding();
    const [{ instance: first } = { instance: '' }] = await host.boots();
    await host.change('LABEL release=b');
    await host.deployOk('ship', 'b');
    await host.holding();
    const boots = await host.boots();
    expect(boots.map(({ instance }) => instance)).toEqual([first, expect.not.stringMatching(first)]);
    await neverTwoBotsAndNothingLeft();

    expect(await host.deployOk('verify')).toMatch(/ok +bot runs sha256:/);
    const good = (await host.journal()).filter(({ result }) => result === 'good');
    expect(good.map(({ release, flat }) => [release, flat])).toEqual([
      ['a', 'no bot'],
      ['b', 'proven'],
    ]);
    const running = await host.imageOf('bot');
    expect(good[1]?.images.find(({ service }) => service === 'bot')?.id).toBe(running);
    const log = await host.deployOk('log');
    for (const { images } of good) {
      for (const { service, id } of images) expect(log).toContain(`${service} ${id.slice(0, 19)}`);
    }
    expect((await stat(good[1]?.backup ?? '')).size).toBeGreaterThan(1000);
    // Whoever runs a plain `docker compose up` gets what was shipped.
    expect(await host.compose('config', '--images')).toContain(`${host.project}-bot:b`);
  });

  test('what runs already is not shipped again', async () => {
    const before = await host.boots();
    expect(await host.deployOk('ship', 'b')).toContain('nothing has to be replaced');
    expect((await host.boots()).at(-1)?.instance).toBe(before.at(-1)?.instance);
  });

  test('release c never becomes healthy: it says why, and rollback restores b, with the positions safe', async () => {
    await host.holding();
    const b = await host.imageOf('bot');
    await host.change(
      'USER root',
      `RUN echo 'raise SystemExit("release c cannot start")' >/app/bot/__main__.py`,
      'USER bot',
    );
    const failed = await host.deploy(['ship', 'c'], { READY_WITHIN: '15' });
    expect(failed.status).toBe(1);
    expect(failed.stdout).toContain('release c cannot start');
    // Between two attempts of the engine the container has no name either.
    expect(failed.stdout).toMatch(/connection refused|the host name does not resolve/);
    expect(failed.stderr).toContain('release c did not become healthy; it had 15 s');
    expect(failed.stderr).toContain('rollback');
    expect(await host.rows()).toEqual({ positions: 0, orders: 0 });
    expect((await host.journal()).at(-1)).toMatchObject({ result: 'failed', release: 'c' });

    // Ctrl-C while containers are replaced: that is finished first. What is done is not done twice.
    const cut = await host.deployCutAt('Start the new release', 'SIGINT', 'rollback');
    expect(cut.status).toBe(130);
    expect(cut.stdout).toContain('it is finished first');
    expect(cut.stderr).toContain('State: release b runs.');
    const back = await host.deployOk('rollback');
    expect(back).toContain('nothing has to be replaced');
    expect(back).toContain('Release b runs and is verified');
    expect(await host.imageOf('bot')).toBe(b);
    await host.holding();
    await neverTwoBotsAndNothingLeft();
    expect((await host.journal()).at(-1)).toMatchObject({ action: 'rollback', result: 'good', release: 'b' });
  });

  test('killed at every step and run again, it recovers', async () => {
    // Release d answers a close as if it had closed, and closes nothing: for the test after this one.
    await host.change(
      `RUN sed 's/if self._misbehaviour.active("lie-close"):/if True:/' /app/bot/api.py >/tmp/api.py`,
      'USER root',
      'RUN cp /tmp/api.py /app/bot/api.py',
      'USER bot',
    );
    await host.holding();
    for (const name of STEPS) {
      const { status } = await host.deployCutAt(name, 'SIGKILL', 'ship', 'd');
      expect(status, name).toBeNull();
    }
    const said = await host.deployOk('ship', 'd');
    expect(said).toContain('was killed; this one takes its place');
    expect(said).toContain('Release d runs and is verified');
    expect((await host.journal()).at(-1)).toMatchObject({ result: 'good', release: 'd' });
    await host.holding();
    await neverTwoBotsAndNothingLeft();
  });

  test('only one works at a time', async () => {
    const first = host.deploy(['verify']);
    await eventually(
      'the first one has the lock',
      async () => (await readFile(path.join(host.folder, 'deployments/lock/pid'), 'utf8')) !== '',
      5_000,
      10,
    );
    const second = await host.deploy(['drain']);
    expect(second.status).toBe(1);
    expect(second.stderr).toContain('another deploy is at work');
    expect((await first).status).toBe(0);
  });

  test('a bot that cannot be proven flat is not replaced: exit code 3, with what is open', async () => {
    await host.holding();
    const d = await host.imageOf('bot');
    await host.change('LABEL release=e');
    const { status, stderr } = await host.deploy(['ship', 'e']);
    expect(status).toBe(3);
    expect(stderr).toMatch(/not_flat: \d+ positions and \d+ orders open/);
    expect(stderr).toContain('POSITIONS MAY BE OPEN. Nothing was replaced.');
    expect(await host.imageOf('bot')).toBe(d);
    expect(await host.compose('config', '--images')).toContain(`${host.project}-bot:d`);
    expect((await host.journal()).at(-1)).toMatchObject({ result: 'aborted', release: 'e' });
  });

  test('a person who looked at the exchange can have it replaced all the same, and that is on record', async () => {
    const said = await host.deployOk('--even-if-open', 'ship', 'e');
    expect(said).toContain('NOT FLAT');
    expect((await host.journal()).at(-1)).toMatchObject({ result: 'good', release: 'e', flat: 'not proven' });
  });
});
