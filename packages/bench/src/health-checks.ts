import pg from 'pg';

const { TARGET_URL = '', DATABASE_URL = '' } = process.env;

/** What every contender watches: a bot's API, its database and its models. */
export const targets = {
  api: `${TARGET_URL}/health`,
  models: `${TARGET_URL}/models`,
  database: DATABASE_URL,
};

/** The same three checks as their peers' documentation writes them; each throws when it fails. */
export function requestTimeChecks(): Record<'api' | 'database' | 'models', () => Promise<void>> {
  const pool = new pg.Pool({ connectionString: targets.database });
  return {
    async api() {
      const response = await fetch(targets.api);
      const body = (await response.json()) as { status?: string };
      if (!response.ok || body.status !== 'ok') throw new Error(`api answered ${response.status}`);
    },
    async database() {
      await pool.query('SELECT 1');
    },
    async models() {
      const response = await fetch(targets.models);
      const body = (await response.json()) as { models: Array<{ loaded: boolean }> };
      if (!response.ok || body.models.length === 0 || body.models.some(({ loaded }) => !loaded)) {
        throw new Error('models are not loaded');
      }
    },
  };
}
