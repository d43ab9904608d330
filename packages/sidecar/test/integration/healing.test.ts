import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdLease } from '../support/gate.ts';
import { type IllBot, startIllBot } from '../support/ill-bot.ts';
import { get, type Running, startSidecar, until } from '../support/processes.ts';
import { startWebhook, type Webhook } from '../support/webhook.ts';

const TOKEN = 'the-drain-token-of-this-test';
/** Fifty times as fast as by default. */
const TIMES = {
  PROBE_INTERVAL: '100ms',
  PROBE_TIMEOUT: '500ms',
  FAILURE_THRESHOLD: '3',
  STARTUP_GRACE: '2s',
  HEAL_COOLDOWN: '1s',
  DRAIN_TIMEOUT: '7s',
  TICK_MAX_AGE: '60s',
};

interface Healed {
  readonly live: boolean;
  readonly reason: string | null;
  readonly heals_last_hour: number;
  readonly capped: boolean;
  readonly boot: string | null;
  readonly cooldown_s: number;
  readonly tick_max_age_s: number;
  readonly tick_learning: boolean;
}

let bot: IllBot;
let webhook: Webhook;
let folder: string;
let sidecar: Running;

beforeEach(async () => {
  bot = await startIllBot();
  webhook = await startWebhook();
  folder = mkdtempSync(join(tmpdir(), 'botwarden-healing-'));
});
afterEach(async () => {
  await sidecar?.end();
  await bot.down();
  await webhook.down();
  rmSync(folder, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}): Promise<void> {
  sidecar = await startSidecar({
    ...TIMES,
    BOT_NAME: 'btc',
    BOT_URL: bot.url,
    DRAIN_LOG: join(folder, 'drains.jsonl'),
    ALERT_WEBHOOK_URL: webhook.url,
    ...env,
  });
}
/** As the kernel ends a process that has eaten too much. */
async function killed(): Promise<void> {
  sidecar.child.kill('SIGKILL');
  await sidecar.exited;
}
const status = async (path: string): Promise<number> => (await get(sidecar.url + path)).status;
const ready = () => until('the bot is ready', async () => (await status('/readyz')) === 200);
const notReady = () => until('the bot is not ready', async () => (await status('/readyz')) === 503);
const health = async () => (await get(`${sidecar.url}/healthz`)).body;
const heal = async (): Promise<Healed> => (await health()).heal as Healed;
const notes = async (): Promise<string> => JSON.stringify((await health()).notes ?? []);
// Not by /livez: somebody who asks that is somebody who carries verdicts out.
const verdict = () => until('a restart is asked for', async () => !(await heal()).live);
const noVerdict = () => expect(sidecar.output()).not.toContain('heal.verdict');

describe('what no restart can mend', () => {
  it.each([
    ['401', 401, /answered 401.*; set BOT_TOKEN/],
    ['404', 404, /answered 404.*; set BOT_(HEALTH|MODELS)_PATH/],
    ['429', 429, /answered 429.*PROBE_INTERVAL/],
  ])('%s for many times the threshold asks for no restart, and is one alert', async (_what, code, text) => {
    await start();
    await ready();
    bot.be({ answer: code });
    await notReady();
    await until('it is told', () => webhook.taken.length > 0);
    await sleep(8_000);
    noVerdict();
    expect(webhook.taken.map(({ botwarden }) => botwarden.event)).toEqual(['bot.unmendable']);
    expect(webhook.taken[0]?.text).toMatch(/^\[botwarden btc\] /);
    expect(webhook.taken[0]?.text).toMatch(text);
    bot.be({ answer: 'ok' });
    await ready();
    await until('that it is over is told', () => webhook.of('bot.unmendable_over').length === 1);
  });

  it('a name that does not resolve asks for no restart', async () => {
    await start({ BOT_URL: 'http://there-is-no-such-bot.invalid:8000' });
    await until('it is told', () => webhook.of('bot.unmendable').length === 1);
    expect(webhook.taken[0]?.text).toMatch(/host name .*BOT_URL/);
    await sleep(8_000);
    noVerdict();
    expect(webhook.taken).toHaveLength(1);
    expect((await heal()).live).toBe(true);
  });

  it('a name in EXPECTED_MODELS that the bot never had asks for no restart', async () => {
    await start({ EXPECTED_MODELS: 'signl' });
    await until('it is told', () => webhook.of('bot.unmendable').length === 1);
    expect(webhook.taken[0]?.text).toMatch(/never had: signl; it has signal; correct EXPECTED_MODELS/);
    await sleep(4_000);
    noVerdict();
  });
});

describe('a bot that is stopped on purpose', () => {
  it('is left alone for as long as it is away, and is healed when it is back and hangs', async () => {
    await start({ DRAIN_TOKEN: TOKEN });
    const first = await holdLease(sidecar.url, TOKEN, 'boot-1');
    await ready();
    first.end();
    await bot.down();
    await notReady();
    // Many times STARTUP_GRACE.
    await sleep(10_000);
    noVerdict();
    bot.be({ instance: 'boot-2' });
    await bot.up();
    const second = await holdLease(sidecar.url, TOKEN, 'boot-2');
    await ready();
    expect((await heal()).heals_last_hour).toBe(0);
    bot.be({ answer: 'hang' });
    const { status: said, body } = await second.hears('a verdict', ({ body: { live } }) => !live);
    expect([said, body.boot]).toEqual([503, 'boot-2']);
    // A third boot carries it out, and only then it counts.
    second.end();
    bot.be({ instance: 'boot-3', answer: 'ok' });
    const third = await holdLease(sidecar.url, TOKEN, 'boot-3');
    await ready();
    expect(await heal()).toMatchObject({ live: true, heals_last_hour: 1, boot: 'boot-3' });
    third.end();
  });
});

describe('a bot that each restart leaves as ill as it was', () => {
  /** The verdict comes, and the next boot is as ill. Gives the cool-down that begins then, in seconds. */
  async function restart(boot: number): Promise<number> {
    await verdict();
    bot.be({ instance: `boot-${boot}` });
    await until('the next boot is seen', async () => (await heal()).boot === `boot-${boot}`);
    return (await heal()).cooldown_s;
  }

  it('is restarted ever more seldom, up to the cap, and no kill of the sidecar makes it forget that', async () => {
    const env = { STARTUP_GRACE: '0ms', HEAL_COOLDOWN: '3s', HEAL_MAX_PER_HOUR: '3' };
    bot.be({ answer: 'ill' });
    await start(env);
    expect(await restart(2)).toBe(3);
    expect(await restart(3)).toBe(6);
    await killed();
    await start(env);
    // It is still in its cool-down, and still knows how often it was restarted.
    await until('what was kept is known', async () => (await heal()).heals_last_hour === 2);
    const { cooldown_s, live } = await heal();
    expect(live).toBe(true);
    expect(cooldown_s).toBeGreaterThan(0);
    expect(cooldown_s).toBeLessThanOrEqual(6);
    expect(await restart(4)).toBe(12);
    await until('a person is asked for', () => webhook.of('heal.capped').length === 1);
    expect(webhook.of('heal.capped')[0]?.botwarden.severity).toBe('critical');
    // Before it is left to a person, one drain is tried, and it is no person's: nothing is held.
    await until('it was drained', () => bot.closes() > 0);
    await until('the drain has ended', async () => {
      const { drains } = (await get(`${sidecar.url}/drains`)).body as { drains: { state: string }[] };
      return drains[0]?.state !== 'started';
    });
    const { drains } = (await get(`${sidecar.url}/drains`)).body as {
      drains: { trigger: string; reason: string }[];
    };
    expect(drains).toContainEqual(expect.objectContaining({ trigger: 'http' }));
    expect((await health()).hold).toBeNull();
    const closes = bot.closes();

    await killed();
    await start(env);
    await until('what was kept is known', async () => (await heal()).capped);
    await sleep(4_000);
    expect(await heal()).toMatchObject({ live: true, capped: true });
    expect(await status('/healthz')).toBe(503);
    expect(await notes()).toMatch(/a person is needed: .*3 restarts in the last hour did not help/);
    expect(bot.closes()).toBe(closes);
    expect(webhook.of('heal.capped')).toHaveLength(1);
  }, 120_000);

  it('is left to a person, also where the drain at the cap leaves it halted and its loop is no longer judged', async () => {
    await start({ STARTUP_GRACE: '0ms', HEAL_COOLDOWN: '0ms', HEAL_MAX_PER_HOUR: '1' });
    await ready();
    bot.be({ tick: { ageMs: 280_000 } });
    await restart(2);
    await until('the cap is reached', async () => (await heal()).capped);
    await until('it is halted', () => bot.closes() > 0);
    await until('it is ready', async () => (await status('/readyz')) === 200);
    await sleep(2_000);
    expect(await heal()).toMatchObject({ capped: true, live: true });
    expect(await status('/healthz')).toBe(503);
    // A person starts it anew, and it trades.
    bot.be({ instance: 'boot-3', halted: false, tick: { ageMs: 0 } });
    await until('it is lifted', async () => !(await heal()).capped);
  });

  it('has the emergency call made, where it cannot close at the cap', async () => {
    const emergency = await startWebhook();
    try {
      await start({
        STARTUP_GRACE: '0ms',
        HEAL_COOLDOWN: '0ms',
        HEAL_MAX_PER_HOUR: '1',
        EMERGENCY_CLOSE_URL: emergency.url,
      });
      await ready();
      bot.be({ answer: 'ill' });
      await restart(2);
      bot.be({ answer: 'hang' });
      await until('the emergency call is made', () => emergency.taken.length > 0, 30_000);
      await until('that it is not flat is told', () => webhook.of('drain.not_flat').length === 1);
    } finally {
      await emergency.down();
    }
  }, 60_000);

  it('may be restarted again when a person has said so', async () => {
    const env = { STARTUP_GRACE: '0ms', HEAL_COOLDOWN: '0ms', HEAL_MAX_PER_HOUR: '1', DRAIN_TOKEN: TOKEN };
    bot.be({ answer: 'ill' });
    await start(env);
    await restart(2);
    await until('the cap is reached', async () => (await heal()).capped);
    await until('the drain has ended', async () => !((await health()).drain as { active: boolean }).active);
    const answer = await fetch(`${sidecar.url}/acknowledge`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(((await answer.json()) as { acknowledged: string[] }).acknowledged).toContain('restarts');
    await verdict();
    expect((await heal()).capped).toBe(false);
  });

  it('may be restarted again when it was ready once', async () => {
    const env = { STARTUP_GRACE: '0ms', HEAL_COOLDOWN: '0ms', HEAL_MAX_PER_HOUR: '1' };
    bot.be({ answer: 'ill' });
    await start(env);
    await restart(2);
    await until('the cap is reached', async () => (await heal()).capped);
    await until('the drain has ended', async () => !((await health()).drain as { active: boolean }).active);
    bot.be({ answer: 'ok', halted: false, instance: 'boot-3' });
    await until('it is lifted', async () => !(await heal()).capped);
  });
});

describe('an alert that nobody takes', () => {
  it('shows, outlives a kill of the sidecar, and is delivered when somebody takes it', async () => {
    await webhook.down();
    bot.be({ answer: 401 });
    await start();
    await until('it was not taken', () => sidecar.output().includes('alert.failed'), 60_000);
    expect((await health()).alerts).toEqual({ undelivered: 1 });
    expect(await notes()).toMatch(/1 alert is not delivered \(the webhook: REFUSED\)/);
    expect(await (await fetch(`${sidecar.url}/metrics`)).text()).toContain(
      'botwarden_alerts_undelivered{bot="btc"} 1',
    );
    await killed();
    bot.be({ answer: 'ok' });
    await webhook.up();
    await start();
    const [late] = await until('it is delivered', () => {
      const told = webhook.of('bot.unmendable');
      return told.length > 0 && told;
    });
    expect(late?.text).toMatch(/answered 401.*could not be delivered before\)$/);
    await until('all are delivered', async () => {
      const { undelivered } = (await health()).alerts as { undelivered: number };
      return undelivered === 0;
    });
  }, 120_000);
});

describe('a bot that ticks once in five minutes', () => {
  const FIVE_MINUTES = 300_000;

  it('is to be restarted under a bound that is not its own', async () => {
    bot.be({ tick: { ageMs: 280_000 } });
    await start();
    await verdict();
    expect((await heal()).reason).toBe('tick');
  });

  it('is left alone under auto from its first tick on', async () => {
    bot.be({ tick: { at: Date.now() - 280_000 } });
    await start({ TICK_MAX_AGE: 'auto' });
    await ready();
    await sleep(5_000);
    noVerdict();
    expect(await heal()).toMatchObject({ tick_max_age_s: 7_200, tick_learning: true });
  });

  it('is learnt, which a kill of the sidecar does not undo, and the next boot is judged by no less', async () => {
    const last = Date.now() - 60_000;
    // Its ticks come faster here than they say.
    bot.be({ tick: { at: last - 20 * FIVE_MINUTES } });
    await start({ TICK_MAX_AGE: 'auto' });
    await ready();
    for (let left = 19; left >= 0; left -= 1) {
      expect((await heal()).tick_learning).toBe(true);
      bot.be({ tick: { at: last - left * FIVE_MINUTES } });
      await tickSeen();
    }
    await until('its cadence is learnt', async () => !(await heal()).tick_learning);
    expect((await heal()).tick_max_age_s).toBe(1_500);
    await until('it is kept', () => keptGaps(folder) === 20);
    await killed();
    await start({ TICK_MAX_AGE: 'auto' });
    await ready();
    await until('what was kept is known', async () => !(await heal()).tick_learning);
    expect((await heal()).tick_max_age_s).toBe(1_500);
    bot.be({ instance: 'boot-2' });
    await until('the next boot is there', async () => (await heal()).boot === 'boot-2');
    await until('it is judged', async () => (await heal()).tick_learning);
    expect((await heal()).tick_max_age_s).toBe(1_500);
    noVerdict();
  }, 90_000);
});

/** Waits until a run of the tick probe has begun after this call, and ended. */
async function tickSeen(): Promise<void> {
  const began = Date.now();
  await until('the tick is looked at', async () => {
    const { checks } = (await health()) as { checks: Record<string, { time: string }[]> };
    return Date.parse(checks['tick:age']?.[0]?.time ?? '') > began;
  });
}

/** How many gaps between ticks stand on disk. */
function keptGaps(where: string): number {
  const path = join(where, 'heal.json');
  if (!existsSync(path)) return 0;
  return (JSON.parse(readFileSync(path, 'utf8')) as { cadence: { gaps: number[] } }).cadence.gaps.length;
}

describe('boots', () => {
  it('three that nobody asked for are a crash loop, told once', async () => {
    await start();
    await ready();
    for (const boot of [2, 3, 4, 5]) {
      bot.be({ instance: `boot-${boot}` });
      await until('the boot is seen', async () => (await heal()).boot === `boot-${boot}`);
    }
    await until('it is told', () => webhook.of('boot.crash_loop').length === 1);
    expect(webhook.of('boot.crash_loop')[0]?.botwarden).toMatchObject({ bot: 'btc', severity: 'critical' });
    expect(await notes()).toMatch(/in a crash loop/);
    expect(await (await fetch(`${sidecar.url}/metrics`)).text()).toContain(
      'botwarden_boots_total{asked="false",bot="btc"} 4',
    );
    await sleep(1_500);
    expect(webhook.of('boot.crash_loop')).toHaveLength(1);
  });

  it('after a drain are asked for, and are none', async () => {
    await start({ DRAIN_TOKEN: TOKEN });
    await ready();
    for (const boot of [2, 3, 4]) {
      const answer = await fetch(`${sidecar.url}/drain`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}` },
        body: JSON.stringify({ boot: `boot-${boot - 1}` }),
      });
      expect(answer.status).toBe(200);
      bot.be({ instance: `boot-${boot}`, halted: false });
      await until('the boot is seen', async () => (await heal()).boot === `boot-${boot}`);
    }
    expect(await (await fetch(`${sidecar.url}/metrics`)).text()).toContain(
      'botwarden_boots_total{asked="true",bot="btc"} 3',
    );
    expect(webhook.of('boot.crash_loop')).toEqual([]);
  });
});

describe('a verdict that nobody is there to carry out', () => {
  it('is said to be so, once, until somebody asks /livez again and again', async () => {
    await start();
    await ready();
    bot.be({ answer: 'ill' });
    await verdict();
    await until('it is told', () => webhook.of('heal.unheeded').length === 1, 30_000);
    expect(await notes()).toMatch(/nobody carries out restarts/);
    await status('/livez');
    await status('/livez');
    await until('somebody is there', async () => !(await notes()).includes('nobody carries out'));
    expect(webhook.of('heal.unheeded')).toHaveLength(1);
  });
});

describe("a person's drain", () => {
  it('keeps a bot that hangs from being restarted, until it is lifted', async () => {
    await start({ DRAIN_TOKEN: TOKEN });
    await ready();
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await fetch(`${sidecar.url}/drain`, { method: 'POST', headers })).status).toBe(200);
    bot.be({ answer: 'ill' });
    await notReady();
    await sleep(4_000);
    noVerdict();
    expect(await (await fetch(`${sidecar.url}/metrics`)).text()).toContain('botwarden_hold{bot="btc"} 1');
    await fetch(`${sidecar.url}/hold`, { method: 'DELETE', headers });
    await verdict();
  });
});
