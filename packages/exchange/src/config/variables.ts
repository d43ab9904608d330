import type { Variable } from '@botwarden/service/variables';

/** Every variable that is read, in the order in which people meet them. */
export const VARIABLES = [
  { name: 'EXCHANGE_ID', about: "ccxt's name of the exchange, such as binanceusdm or okx (required)" },
  { name: 'EXCHANGE_KEY_FILE', about: 'the file with the API key (required)' },
  { name: 'EXCHANGE_SECRET_FILE', about: "the file with the key's secret (required)" },
  { name: 'EXCHANGE_PASSWORD_FILE', about: "the file with the key's passphrase, where the exchange has one" },
  {
    name: 'EXCHANGE_TOKEN',
    secret: true,
    about: 'bearer token that callers must carry, at least 16 characters (required)',
  },
  {
    name: 'EXCHANGE_MARKETS',
    fallback: 'linear',
    about: 'what is looked at and closed, with commas: linear, inverse, margin, spot',
  },
  {
    name: 'EXCHANGE_SYMBOLS',
    about:
      'only these count, such as BTC/USDT:USDT, with commas; required for margin and spot; unset: every contract',
  },
  {
    name: 'EXCHANGE_SANDBOX',
    about: "testnet or demo: the exchange's own place for trying out; unset: real money",
  },
  { name: 'EXCHANGE_URL', about: "sends every call there, in place of the exchange's own address" },
  { name: 'EXCHANGE_UNTESTED', about: 'true: allows an exchange that was never tried with this program' },
  { name: 'EXCHANGE_TIMEOUT', fallback: '10s', about: 'an answer that takes longer has not come' },
  {
    name: 'EXCHANGE_CHECK_INTERVAL',
    fallback: '60s',
    about: 'how often it looks by itself, so that keys that no longer work are told',
  },
  {
    name: 'EXCHANGE_CANCEL_AFTER',
    about:
      "the exchange's cancel-all-after timer, renewed while the bot's tick is fresh; cancels orders, closes nothing; unset: off",
  },
  {
    name: 'SIDECAR_URL',
    about: 'where the sidecar says whether the tick is fresh; for EXCHANGE_CANCEL_AFTER',
  },
  { name: 'HOST', fallback: '0.0.0.0', about: 'address to listen on' },
  { name: 'PORT', fallback: '9600', about: 'port to listen on; 0 picks a free one' },
  { name: 'LOG_LEVEL', fallback: 'info', about: 'debug, info, warn or error' },
] as const satisfies readonly Variable[];

/** The name of a variable that is read. */
export type VariableName = (typeof VARIABLES)[number]['name'];
