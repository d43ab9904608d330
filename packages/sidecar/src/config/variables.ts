import type { Variable } from '@botwarden/service/variables';

/** Every variable the sidecar reads, in the order in which people meet them. */
export const VARIABLES = [
  { name: 'BOT_NAME', fallback: 'bot', about: 'stands in alerts, log lines and metrics' },
  { name: 'BOT_URL', about: 'where the bot answers, such as http://bot:8000 (required)' },
  { name: 'BOT_ADAPTER', fallback: 'http', about: 'which API the bot speaks: http or freqtrade' },
  { name: 'BOT_TOKEN', secret: true, about: 'bearer token for the bot' },
  { name: 'BOT_USERNAME', secret: true, about: 'user of the bot, for freqtrade' },
  { name: 'BOT_PASSWORD', secret: true, about: 'password of the bot, for freqtrade' },
  {
    name: 'BOT_HEALTH_PATH',
    fallback: '/health',
    emptyMeansOff: true,
    about: 'health call; empty: no api and no tick probe',
  },
  {
    name: 'BOT_MODELS_PATH',
    fallback: '/models',
    emptyMeansOff: true,
    about: 'models call; empty: no models probe',
  },
  {
    name: 'BOT_POSITIONS_PATH',
    fallback: '/positions',
    emptyMeansOff: true,
    about: 'positions call; empty: the close answer and FLAT_CHECK_SQL prove flat',
  },
  { name: 'BOT_CLOSE_PATH', fallback: '/close-positions', about: 'close call; cannot be switched off' },
  {
    name: 'EXPECTED_MODELS',
    about: 'names that must be loaded, with commas; none: an empty list is right; unset: at least one',
  },
  { name: 'DATABASE_URL', secret: true, about: 'Postgres; unset: no database probe' },
  {
    name: 'TICK_MAX_AGE',
    fallback: 'auto',
    about:
      'the trading loop is hung when its last tick is older; auto: five times the longest of its last twenty gaps, at least 60s',
  },
  { name: 'PROBE_INTERVAL', fallback: '5s', about: 'from one run of a probe to the next' },
  { name: 'PROBE_TIMEOUT', fallback: '2s', about: 'a run that takes longer is cut off and has failed' },
  { name: 'FAILURE_THRESHOLD', fallback: '3', about: 'failures in a row before a probe fails' },
  { name: 'SUCCESS_THRESHOLD', fallback: '1', about: 'passes in a row before a probe passes' },
  {
    name: 'STARTUP_GRACE',
    fallback: '120s',
    about: 'how long a new boot of the bot may take to load before /livez may fail',
  },
  {
    name: 'HEAL_COOLDOWN',
    fallback: '60s',
    about: 'after a restart, no other for this long; it doubles while restarts do not help',
  },
  {
    name: 'HEAL_MAX_PER_HOUR',
    fallback: '5',
    about:
      'restarts in an hour; past them /livez stays 200 until the bot was ready once or a person says so, and an alert asks for one',
  },
  {
    name: 'DRAIN_TIMEOUT',
    fallback: '60s',
    about: 'the whole budget of a drain, from the signal to the exit',
  },
  {
    name: 'CLOSE_TIMEOUT',
    fallback: '10s',
    about: 'one attempt at the close call; unset: never more than DRAIN_TIMEOUT less 5s',
  },
  {
    name: 'STOP_GRACE_PERIOD',
    about: 'what the orchestrator allows; when set, DRAIN_TIMEOUT + 5s must fit in it',
  },
  {
    name: 'FLAT_CHECK_SQL',
    about: 'a query that gives one number, 0 when flat: a second proof; needs DATABASE_URL',
  },
  {
    name: 'FLAT_CHECK_URL',
    about: 'an address that answers as GET /positions does, from the exchange itself: a proof from outside',
  },
  { name: 'FLAT_CHECK_TOKEN', secret: true, about: 'bearer token for FLAT_CHECK_URL' },
  {
    name: 'DRAIN_TOKEN',
    secret: true,
    about: 'bearer token that enables POST /drain, the lease of the gate, DELETE /hold and POST /acknowledge',
  },
  { name: 'DRAIN_LOG', fallback: '/var/lib/botwarden/drains.jsonl', about: 'where the receipts are kept' },
  { name: 'EMERGENCY_CLOSE_URL', secret: true, about: 'POSTed with what is still open when a drain fails' },
  {
    name: 'ALERT_WEBHOOK_URL',
    secret: true,
    about: 'POSTed with status changes, heals and drains, as JSON that Slack and Discord accept',
  },
  { name: 'PROBES_FILE', about: 'more probes, as YAML' },
  { name: 'HOST', fallback: '0.0.0.0', about: 'address to listen on' },
  { name: 'PORT', fallback: '9400', about: 'port to listen on; 0 picks a free one' },
  { name: 'LOG_LEVEL', fallback: 'info', about: 'debug, info, warn or error' },
] as const satisfies readonly Variable[];

/** The name of a variable the sidecar reads. */
export type VariableName = (typeof VARIABLES)[number]['name'];
