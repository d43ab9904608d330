/** The schema that everything is kept in. */
export const SCHEMA = 'botwarden_dashboard';

/** In order, each applied once and never changed afterwards. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE ${SCHEMA}.minutes (
    bot text NOT NULL,
    subject text NOT NULL,
    at timestamptz NOT NULL,
    worst smallint NOT NULL,
    runs integer NOT NULL,
    timed integer NOT NULL,
    total_ms double precision NOT NULL,
    PRIMARY KEY (bot, subject, at)
  );
  CREATE INDEX minutes_at ON ${SCHEMA}.minutes (at);
  CREATE TABLE ${SCHEMA}.events (
    bot text NOT NULL,
    key text NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    tone text NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (bot, key)
  );
  CREATE INDEX events_at ON ${SCHEMA}.events (at);
  CREATE TABLE ${SCHEMA}.drains (
    bot text NOT NULL,
    drain_id text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    receipt jsonb NOT NULL,
    PRIMARY KEY (bot, drain_id)
  );
  CREATE TABLE ${SCHEMA}.acknowledgements (
    bot text NOT NULL,
    drain_id text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (bot, drain_id)
  );
  `,
  // Acknowledging is the sidecar's since; it tells when a person looked last. What was acknowledged here alone is shown
  // once more, rather than taken over as a look at everything before it.
  `
  CREATE TABLE ${SCHEMA}.looked (
    bot text PRIMARY KEY,
    at timestamptz NOT NULL
  );
  DROP TABLE ${SCHEMA}.acknowledgements;
  `,
];
