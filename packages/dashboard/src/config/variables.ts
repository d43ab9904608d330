import type { Variable } from '@botwarden/service/variables';

/** Every variable the dashboard reads, in the order in which people meet them. `DRAIN_TOKEN_<BOT>` comes beside these. */
export const VARIABLES = [
  {
    name: 'SIDECARS',
    secret: true,
    about: 'the bots, as name=URL of the sidecar with commas: btc=http://sidecar:9400 (required)',
  },
  {
    name: 'DATABASE_URL',
    secret: true,
    about: 'Postgres for the history, in a schema botwarden_dashboard; unset: in memory',
  },
  { name: 'HISTORY_MAX_AGE', fallback: '168h', about: 'history that is older is deleted' },
  { name: 'PROBE_INTERVAL', fallback: '5s', about: 'from one look at a sidecar to the next' },
  { name: 'PROBE_TIMEOUT', fallback: '2s', about: 'a sidecar that takes longer has not answered' },
  {
    name: 'FAILURE_THRESHOLD',
    fallback: '2',
    about: 'looks in a row without an answer before a bot counts as out of touch',
  },
  {
    name: 'DRAIN_TOKEN',
    secret: true,
    about:
      'the DRAIN_TOKEN of the sidecars: enables its three buttons; DRAIN_TOKEN_BTC is for the bot btc alone',
  },
  {
    name: 'DASHBOARD_USER',
    about: 'with DASHBOARD_PASSWORD: basic auth for everything but /livez and its kin',
  },
  { name: 'DASHBOARD_PASSWORD', secret: true, about: 'see DASHBOARD_USER' },
  { name: 'DASHBOARD_TOKEN', secret: true, about: 'a bearer token that is accepted too, for scripts' },
  {
    name: 'ALLOWED_HOSTS',
    about:
      'host names with a dot under which the page is served, with commas; IP addresses, localhost and names without a dot always are',
  },
  { name: 'MAX_PAGES', fallback: '200', about: 'how many pages may be open and live at once' },
  { name: 'HOST', fallback: '127.0.0.1', about: 'address to listen on; the image sets 0.0.0.0' },
  { name: 'PORT', fallback: '9500', about: 'port to listen on; 0 picks a free one' },
  { name: 'LOG_LEVEL', fallback: 'info', about: 'debug, info, warn or error' },
] as const satisfies readonly Variable[];

/** The name of a variable the dashboard reads. */
export type VariableName = (typeof VARIABLES)[number]['name'];
