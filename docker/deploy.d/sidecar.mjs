// Runs in the container of the sidecar, fed through standard input: there are its tokens, its network and Node, so
// that the host needs neither, and no token stands on a command line.
//
//   drain                        asks for a drain and waits. 0 flat; 3 not flat, and what is open is known; 4 not
//                                flat, and it is not known; 5 the token is refused; 1 anything else
//   trading                      prints running, halted or unknown
//   last-drain                   prints the state of the last drain, or none
//   verify SINCE [VERSIONS]      prints what is as it should be and what is not, a line each: ok, note or no. 0 all
//                                is well; 1 not (yet). SINCE is when the bot was started, ISO 8601; VERSIONS is
//                                name=version with commas
import { readFileSync } from 'node:fs';
import { request } from 'node:http';

const [command, ...args] = process.argv.slice(2);
const { env } = process;
const sidecar = `http://127.0.0.1:${env.PORT || 9400}`;

const say = (line) => process.stdout.write(`${line}\n`);
const secret = (name) =>
  env[name] || (env[`${name}_FILE`] ? readFileSync(env[`${name}_FILE`], 'utf8').trim() : '');

/** One call. Without `ms` it may take as long as it takes. */
function call(url, { method = 'GET', token = '', body = '', ms } = {}) {
  return new Promise((resolve, reject) => {
    const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
    const signal = ms === undefined ? undefined : AbortSignal.timeout(ms);
    const asked = request(
      url,
      { method, headers, agent: false, ...(signal ? { signal } : {}) },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          try {
            resolve({ status: response.statusCode, body: JSON.parse(text) });
          } catch {
            resolve({ status: response.statusCode, body: null });
          }
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

const get = (path) => call(`${sidecar}${path}`, { ms: 5_000 });

async function drain() {
  let shown = 0;
  let following = true;
  // A drain that names the boot is no person's: no hold follows it, which would keep the next boot from trading.
  const token = secret('DRAIN_TOKEN');
  const { body: lives } = await get('/livez');
  const boot = lives?.boot ?? (await get('/healthz')).body?.bot?.instance ?? null;
  const asked = JSON.stringify({ boot, reason: 'deploy' });
  const ended = call(`${sidecar}/drain`, { method: 'POST', token, body: asked });
  const follow = async () => {
    const seen = await get('/drain').catch(() => null);
    const steps = seen?.body?.steps ?? [];
    for (const { sentence } of following ? steps.slice(shown) : []) say(sentence);
    if (following) shown = Math.max(shown, steps.length);
  };
  const timer = setInterval(follow, 1_000);
  const { status, body } = await ended.finally(() => {
    following = false;
    clearInterval(timer);
  });
  if (boot === null) await call(`${sidecar}/hold`, { method: 'DELETE', token, ms: 5_000 }).catch(() => null);
  if (status === 401 || status === 403) {
    say(`the sidecar refuses to drain (${status}): ${body?.error?.message ?? 'no reason given'}`);
    return 5;
  }
  if (body === null || typeof body.state !== 'string') {
    say(`expected a receipt from POST /drain, got status ${status}`);
    return 1;
  }
  const { state, reason, duration_ms, open_positions, pending_orders, drain_id } = body;
  const open = `${open_positions ?? 'an unknown number of'} positions and ${pending_orders ?? 'an unknown number of'} orders open`;
  if (status === 200) {
    say(`${state} after ${(duration_ms / 1000).toFixed(1)} s: ${reason} (receipt ${drain_id})`);
    return 0;
  }
  say(`${state}: ${open}; ${reason} (receipt ${drain_id})`);
  return open_positions === null || pending_orders === null ? 4 : 3;
}

/** What the models call answers, or why it does not. The sidecar's own probe says whether they are loaded. */
async function models() {
  if (env.BOT_ADAPTER === 'freqtrade' || env.BOT_MODELS_PATH === '') return { skipped: true };
  const url = new URL(env.BOT_MODELS_PATH || '/models', env.BOT_URL);
  const { status, body } = await call(url, { token: secret('BOT_TOKEN'), ms: 5_000 });
  if (status !== 200 || !Array.isArray(body?.models))
    throw new Error(`GET ${url.pathname} answered ${status}`);
  return { list: body.models };
}

async function verify(since, versions = '') {
  const started = Date.parse(since);
  let right = true;
  const no = (line) => {
    right = false;
    say(`no ${line}`);
  };

  const { body: health } = await get('/healthz');
  if (health === null) throw new Error('GET /healthz did not answer with JSON');
  const checks = Object.entries(health.checks ?? {}).map(([name, [check]]) => ({ name, ...check }));
  // What was seen before the bot was started is about the bot before. The close path is asked about too, although a
  // bot is ready without it: the next stop needs it.
  const needed = checks.filter(({ critical, componentId }) => critical || componentId === 'close-path');
  const old = needed.filter(({ time }) => !(Date.parse(time) > started));
  for (const { name } of old) no(`${name} has not been checked yet since the bot was started`);
  const failing = needed.filter((check) => check.status === 'fail' && !old.includes(check));
  for (const { name, output } of failing) no(`${name} fails: ${output ?? 'no reason given'}`);
  if (health.status === 'fail') no(`the sidecar says fail: ${health.output}`);
  else if (old.length + failing.length === 0)
    say(`ok health: ${checks.map(({ name, state }) => `${name} ${state}`).join(', ')}`);
  for (const { name, output } of checks.filter(({ status }) => status === 'warn'))
    say(`note ${name}: ${output}`);
  for (const text of health.notes ?? []) say(`note ${text}`);

  const { trading, last_tick_at: tick, instance } = health.bot ?? {};
  if (trading === 'halted') no('the bot is halted and trades nothing until it is restarted');
  if (tick === null || tick === undefined)
    say('note the bot does not report when its trading loop last ticked');
  else if (Date.parse(tick) > started)
    say(`ok first tick seen after the start of the bot: ${tick}, boot ${instance ?? 'unnamed'}`);
  else no(`no tick since the bot was started at ${since}; the last was at ${tick}`);

  const found = await models().catch((error) => ({ problem: error.message }));
  if (found.problem !== undefined) no(`models: ${found.problem}`);
  else if (found.skipped) say('note this bot has no call that tells its models');
  else {
    const expected = (env.EXPECTED_MODELS || '').split(',').map((name) => name.trim());
    for (const name of expected.filter((name) => name !== '' && name !== 'none')) {
      if (!found.list.some((model) => model.name === name)) no(`model ${name} is expected and not there`);
    }
    for (const { name, loaded, version } of found.list) {
      if (loaded === true) say(`ok model ${name} ${version ?? '(no version told)'} is loaded`);
      else no(`model ${name} is not loaded`);
    }
    for (const pair of versions.split(',').filter((pair) => pair.includes('='))) {
      const [name, version] = pair.split('=', 2).map((part) => part.trim());
      const model = found.list.find((one) => one.name === name);
      if (model?.version !== version)
        no(
          `model ${name} must be version ${version} (MODEL_VERSIONS) and is ${model?.version ?? 'not there'}`,
        );
    }
  }
  return right ? 0 : 1;
}

const commands = {
  drain,
  verify,
  async trading() {
    const { body } = await get('/healthz');
    say(body?.bot?.trading ?? 'unknown');
    return 0;
  },
  async 'last-drain'() {
    const { body } = await get('/drain');
    say(body?.state ?? 'none');
    return 0;
  },
};

try {
  process.exitCode = await commands[command](...args);
} catch (error) {
  say(`no the sidecar could not be asked (${error.code ?? error.message})`);
  process.exitCode = 1;
}
