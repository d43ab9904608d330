import pg from 'pg';

const { BOT_URL = '', DATABASE_URL = '' } = process.env;

/** The three checks as the documentation of the peers writes them, run at each request; each throws when it fails. */
export function requestTimeChecks(): Record<'api' | 'database' | 'models', () => Promise<void>> {
  const pool = new pg.Pool({ connectionString: DATABASE_URL });
  return {
    async api() {
      const response = await fetch(`${BOT_URL}/health`);
      const body = (await response.json()) as { status?: string };
      if (!response.ok || body.status !== 'ok') throw new Error(`api answered ${response.status}`);
    },
    async database() {
      await pool.query('SELECT 1');
    },
    async models() {
      const response = await fetch(`${BOT_URL}/models`);
      const body = (await response.json()) as { models: Array<{ loaded: boolean }> };
      if (!response.ok || body.models.length === 0 || body.models.some(({ loaded }) => !loaded)) {
        throw new Error('models are not loaded');
      }
    },
  };
}

/** Where a contender listens. */
export const PORT = Number(process.env.PORT);
