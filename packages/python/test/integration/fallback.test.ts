import { describe, test } from 'vitest';
import { mortal, patient, startGate, until } from './gate-process.ts';
import { type Answer, frozenServer, half, reset, scriptedServer, silence } from './scripted-server.ts';
import { drained, scriptedSidecar } from './scripted-sidecar.ts';

const refused = 'http://127.0.0.1:9';
const flat = { status: 200, body: '{"open_positions":[],"pending_orders":[]}' };
const open = { status: 200, body: '{"open_positions":[{"symbol":"BTC"}],"pending_orders":[]}' };
const closed = { status: 200, body: '{"open_positions":0,"pending_orders":0}' };
const halted = { status: 200, body: '{"status":"ok","trading":"halted"}' };
const running = { status: 200, body: '{"status":"ok","trading":"running"}' };
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const answer =
  (status: number, body: (boot: string) => unknown): Answer =>
  (response, seen) =>
    response.writeHead(status).end(JSON.stringify(body(JSON.parse(seen.body).boot)));

describe.concurrent('where the sidecar does not prove this boot flat, the bot is closed through its own API:', () => {
  test.for<[string, Answer | null]>([
    ['unreachable', null],
    ['says flat for another boot', answer(200, () => ({ state: 'flat', boot: 'another' }))],
    ['says flat for no boot', answer(200, () => ({ state: 'flat', boot: null }))],
    ['says flat with 202', answer(202, (boot) => ({ state: 'flat', boot }))],
    ['says flat with 503', answer(503, (boot) => ({ state: 'flat', boot }))],
    ['says that there is nothing to do', answer(200, (boot) => ({ state: 'nothing_to_do', boot }))],
    ['has only started', answer(200, (boot) => ({ state: 'started', boot }))],
    ['says 200 and nothing', { status: 200, body: '' }],
    ['says 200 with what is not JSON', { status: 200, body: '{"state":"flat",' }],
    ['says 200 with a list', answer(200, (boot) => [{ state: 'flat', boot }])],
    [
      'says flat twice over',
      (response, { body }) =>
        response.end(`{"state":"flat","state":"flat","boot":"${JSON.parse(body).boot}"}`),
    ],
    ['gives half an answer', half],
    ['is not flat (503)', drained('not_flat')],
    [
      'takes another boot for the current one (409)',
      { status: 409, body: '{"error":{"code":"WRONG_BOOT"}}' },
    ],
    ['has no token (403)', { status: 403, body: '{"error":{"code":"DRAIN_OFF"}}' }],
    ['refuses the token (401)', 401],
    ['has no such call (404)', 404],
    ['is broken (500)', 500],
    ['redirects (302)', (response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['resets the connection', reset],
    ['does not answer, and is busy with no drain', silence],
  ])('it %s', async ([, drain], { expect }) => {
    const events: string[] = [];
    await using bot = await scriptedServer(
      { 'POST /close-positions': closed, 'GET /positions': [open, flat, open, flat, flat] },
      ({ call }) => events.push(call),
    );
    await using sidecar = await scriptedSidecar(
      drain === null ? {} : { 'POST /drain': drain, 'GET /elsewhere': 200 },
    );
    using gate = startGate(
      patient,
      {
        SIDECAR_URL: drain === null ? refused : sidecar.url,
        BOT_URL: bot.url,
        BOT_TOKEN: 'bot-secret',
        GATE_TIMEOUT: '30s',
      },
      { events },
    );
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(events).toEqual([
      'bot: up',
      ...['POST /close-positions', 'GET /positions'],
      ...['POST /close-positions', 'GET /positions', 'GET /positions'],
      ...['POST /close-positions', 'GET /positions', 'GET /positions'],
      'bot: TERM',
    ]);
    expect(gate.log()).toMatch(
      /: flat\. The bot gets SIGTERM\. \(the bot closed, and twice nothing was open(; the sidecar could not prove it)?\.\)/,
    );
    expect(gate.log()).not.toMatch(/secret/);
    const closes = bot.calls('POST /close-positions');
    const [key] = closes.map(({ headers }) => headers['idempotency-key']);
    expect(key).toMatch(uuid);
    for (const { headers, body } of closes) {
      expect(headers['idempotency-key']).toBe(key);
      expect(headers.authorization).toBe('Bearer bot-secret');
      expect(headers['content-type']).toBe('application/json');
      const sent = JSON.parse(body);
      expect(Object.keys(sent).sort()).toEqual(['deadline', 'drain_id', 'reason']);
      expect(sent.drain_id).toBe(key);
      expect(sent.reason).toContain('SIGTERM');
      expect(sent.deadline).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Date.parse(sent.deadline) - Date.now()).toBeLessThan(31_000);
    }
    for (const { headers } of bot.calls('GET /positions'))
      expect(headers.authorization).toBe('Bearer bot-secret');
    // The same id was given to the sidecar, so that the bot sees one.
    for (const { body } of sidecar.drains()) expect(JSON.parse(body).drain_id).toBe(key);
    expect(gate.processes()).toEqual([]);
  });

  test('and where the sidecar said that it is not flat, the gate says that too', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('not_flat') });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/twice nothing was open; the sidecar could not prove it\.\)/);
  });

  test('and where the sidecar knows more than a bot that shows nothing open, the gate is not flat', async ({
    expect,
  }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    const none = { open_positions: 0, pending_orders: 0, reason: 'FLAT_CHECK_SQL says 2, not 0' };
    await using sidecar = await scriptedSidecar({
      'POST /drain': answer(503, (boot) => ({ state: 'not_flat', boot, ...none })),
    });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(bot.calls('POST /close-positions')).toHaveLength(1);
    expect(gate.log()).toMatch(
      /NOT FLAT: the bot shows nothing open, but the sidecar says: FLAT_CHECK_SQL says 2/,
    );
  });

  test('it is frozen altogether', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    await using sidecar = await frozenServer();
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url, GATE_TIMEOUT: '70s' });
    await gate.until('bot: up');
    const from = Date.now();
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/no sign of a drain for 3s.*: flat\. The bot gets SIGTERM/s);
    // A bound far from both sides: it is not the 70 s of GATE_TIMEOUT.
    expect(Date.now() - from).toBeLessThan(35_000);
  });

  test('it freezes in the middle of its drain, and the bot sees one id', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    await using sidecar = await scriptedSidecar({ 'POST /drain': silence });
    const busy: Answer = (response) =>
      response.end(
        JSON.stringify({
          state: 'started',
          phase: 'closing',
          boot: sidecar.boot(),
          drain_id: 'drain-that-was-under-way',
        }),
      );
    sidecar.set('GET /drain', [busy, busy, silence]);
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url, GATE_TIMEOUT: '70s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(bot.calls('POST /close-positions').map(({ headers }) => headers['idempotency-key'])).toEqual([
      'drain-that-was-under-way',
    ]);
  });

  test.for<[string, (boot: string) => object]>([
    [
      'a drain of another boot',
      () => ({ state: 'started', phase: 'closing', boot: 'another', drain_id: 'x' }),
    ],
    ['a drain that has ended', (boot) => ({ state: 'not_flat', phase: 'ended', boot, drain_id: 'x' })],
    [
      'the receipt of a sidecar that was killed in a drain',
      (boot) => ({ state: 'started', boot, drain_id: 'x' }),
    ],
  ])('it does not answer, and what it shows is %s', async ([, view], { expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    await using sidecar = await scriptedSidecar({ 'POST /drain': silence });
    sidecar.set('GET /drain', (response) => response.end(JSON.stringify(view(sidecar.boot()))));
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url, GATE_TIMEOUT: '70s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(bot.calls('POST /close-positions').length).toBe(1);
    expect(bot.calls('POST /close-positions')[0]?.headers['idempotency-key']).not.toBe('x');
  });

  test('and whoever proves flat first is believed: here the sidecar, late', async ({ expect }) => {
    const late = Promise.withResolvers<void>();
    await using bot = await scriptedServer({ 'POST /close-positions': silence });
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('flat', late.promise) });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url, GATE_TIMEOUT: '70s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    await until('the bot was asked to close', () => bot.calls('POST /close-positions').length === 1);
    late.resolve();
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/\(the sidecar proved it/);
  });

  test('a sidecar that did not answer is asked again meanwhile: it has more ways to close', async ({
    expect,
  }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': 500 });
    await using sidecar = await scriptedSidecar({ 'POST /drain': [reset, drained('flat')] });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url, GATE_TIMEOUT: '70s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/\(the sidecar proved it/);
    const ids = sidecar.drains().map(({ body }) => JSON.parse(body).drain_id);
    expect(ids).toEqual([ids[0], ids[0]]);
    expect(ids[0]).toBe(bot.calls('POST /close-positions')[0]?.headers['idempotency-key']);
  });

  test('a sidecar that said that it is not flat is not asked again', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': 500 });
    await using sidecar = await scriptedSidecar({ 'POST /drain': drained('not_flat') });
    using gate = startGate(patient, { SIDECAR_URL: sidecar.url, BOT_URL: bot.url, GATE_TIMEOUT: '9s' });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(sidecar.drains().length).toBe(1);
    expect(gate.log()).toMatch(
      /NOT FLAT: not proven within 9s.*\(the bot answered its close call with: 500\.\)/,
    );
  });
});

describe.concurrent('the gate alone', () => {
  const alone = (url: string, more: Record<string, string> = {}) => ({
    SIDECAR_URL: '',
    BOT_URL: url,
    ...more,
  });

  test('calls the bot’s own paths, without a token where there is none', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /api/flatten': 202, 'GET /api/book': closed });
    using gate = startGate(
      patient,
      alone(`${bot.url}/api/`, { BOT_CLOSE_PATH: '/flatten', BOT_POSITIONS_PATH: '/book' }),
    );
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(bot.seen.map(({ call }) => call)).toEqual(['POST /api/flatten', 'GET /api/book', 'GET /api/book']);
    expect(bot.seen[0]?.headers.authorization).toBeUndefined();
    expect(bot.seen[0]?.headers.host).toBe(`127.0.0.1:${bot.port}`);
  });

  test('closes a bot that comes up late', async ({ expect }) => {
    await using bot = await scriptedServer({
      'POST /close-positions': [reset, 503, closed],
      'GET /positions': [reset, 503, flat],
    });
    using gate = startGate(patient, alone(bot.url, { GATE_TIMEOUT: '60s' }));
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/: flat\./);
  });

  test('closes a bot whose close call was cut off once, after CLOSE_LIMIT, and never waits as it is told to', async ({
    expect,
  }) => {
    const wait: Answer = (response) => response.writeHead(503, { 'retry-after': '3600' }).end();
    await using bot = await scriptedServer({
      'POST /close-positions': [silence, wait, closed],
      'GET /positions': flat,
    });
    using gate = startGate(patient, alone(bot.url, { GATE_TIMEOUT: '60s' }));
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(bot.calls('POST /close-positions').length).toBe(3);
  });

  test('a close that is said to be done, and is not, is never flat', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': open });
    using gate = startGate(patient, alone(bot.url, { GATE_TIMEOUT: '4s' }));
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/NOT FLAT: not proven within 4s.*\(the bot still reports 1 open positions/);
    expect(gate.events).toContain('bot: TERM');
  });

  test.for<[string, Answer]>([
    ['answered 500', 500],
    ['refused (403)', 403],
    ['half answered', half],
    ['never answered', silence],
  ])(
    'empty positions prove nothing while the close call is %s and the bot trades',
    async ([, close], { expect }) => {
      await using bot = await scriptedServer({
        'POST /close-positions': close,
        'GET /positions': flat,
        'GET /health': running,
      });
      using gate = startGate(patient, alone(bot.url, { GATE_TIMEOUT: '4s' }));
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(gate.log()).toMatch(/NOT FLAT: not proven within 4s/);
    },
  );

  test('but they do once it says that it is halted', async ({ expect }) => {
    await using bot = await scriptedServer({
      'POST /close-positions': 500,
      'GET /positions': flat,
      'GET /health': [running, halted],
    });
    using gate = startGate(patient, alone(bot.url));
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/\(halted, and twice nothing was open\.\)/);
    expect(bot.seen.map(({ call }) => call)).toEqual([
      ...['POST /close-positions', 'GET /health'],
      ...['POST /close-positions', 'GET /health', 'GET /positions', 'GET /positions'],
    ]);
  });

  test.for<[string, Answer]>([
    ['204', 204],
    ['404', 404],
    ['500 with flat positions', { status: 500, body: flat.body }],
    ['202 with flat positions', { status: 202, body: flat.body }],
    ['a text', { status: 200, body: 'flat' }],
    ['half an answer', half],
    ['nothing', silence],
    ['false', { status: 200, body: '{"open_positions":false,"pending_orders":false}' }],
    ['minus one', { status: 200, body: '{"open_positions":-1,"pending_orders":1}' }],
    [
      'a megabyte and more',
      { status: 200, body: `{"open_positions":[],"pending_orders":[]${' '.repeat(1024 * 1024)}}` },
    ],
    [
      'deep nesting',
      { status: 200, body: `{"open_positions":[],"pending_orders":[],"x":${'['.repeat(200_000)}` },
    ],
  ])('a read of the positions that is answered with %s is never flat', async ([, positions], { expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': positions });
    using gate = startGate(patient, alone(bot.url, { GATE_TIMEOUT: '4s' }));
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/NOT FLAT: not proven within 4s/);
  });

  test('without a way to read the positions it closes, and never says flat', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /health': halted });
    using gate = startGate(patient, alone(bot.url, { GATE_TIMEOUT: '3s', BOT_POSITIONS_PATH: '' }));
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/NOT FLAT.*BOT_POSITIONS_PATH is empty/);
    expect(bot.calls('POST /close-positions').length).toBeGreaterThan(0);
  });

  test('says so at once when the bot dies while it is held', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': silence });
    using gate = startGate(mortal, alone(bot.url, { GATE_TIMEOUT: '60s' }));
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    await until('the bot was asked to close', () => bot.calls('POST /close-positions').length === 1);
    gate.kill('SIGUSR1');
    expect(await gate.exit, gate.log()).toBe(4);
    expect(gate.log()).toMatch(/NOT FLAT: the bot died while its stop was held back/);
  });
});

describe.concurrent('a freqtrade', () => {
  const FREQTRADE = { BOT_ADAPTER: 'freqtrade', BOT_USERNAME: 'me', BOT_PASSWORD: 's3cret' };

  // What follows is tried with the real one, in the tests of the sidecar.
  test('is closed by its own calls, with its own password', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /api/v1/stopentry': 500 });
    using gate = startGate(patient, {
      SIDECAR_URL: refused,
      BOT_URL: bot.url,
      GATE_TIMEOUT: '2s',
      ...FREQTRADE,
    });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/NOT FLAT: not proven within 2s/);
    expect(bot.seen[0]).toMatchObject({ call: 'POST /api/v1/stopentry' });
    expect(gate.log()).not.toContain('s3cret');
  });

  test('is told in its own words to start halted', async ({ expect }) => {
    await using sidecar = await scriptedSidecar({
      'GET /livez': (response) => void response.end('{"live":true,"boot":null,"drained":null,"hold":true}'),
    });
    using gate = startGate('echo "$FREQTRADE__INITIAL_STATE"', {
      SIDECAR_URL: sidecar.url,
      ...FREQTRADE,
    });
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.events).toEqual(['bot: paused']);
  });
});
