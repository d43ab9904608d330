import * as z from 'zod';

const duration = z
  .union([z.number().positive(), z.string().regex(/^\d+(\.\d+)?(ms|s|m|h)$/)])
  .describe('Milliseconds, or a text such as 250ms, 5s, 2m, 1h.');
const count = z.number().int().min(1);
const percent = z.number().gt(0).max(100);
const text = z.string().min(1);

const common = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/)
    .describe('Unique; letters, digits, ".", "_", "/" or "-".'),
  critical: z
    .boolean()
    .optional()
    .describe('Whether its failure makes the whole fail, or only warn. Default true.'),
  interval: duration.optional().describe('From the start of one run to the start of the next. Default 5s.'),
  timeout: duration.optional().describe('A run that takes longer is cancelled and has failed. Default 2s.'),
  failureThreshold: count.optional().describe('Failures in a row before it fails. Default 3.'),
  successThreshold: count.optional().describe('Passes in a row before it passes. Default 1.'),
  staleAfter: duration
    .optional()
    .describe('A result older than this fails. Default twice the interval plus the timeout.'),
  initialDelay: duration.optional().describe('Before the first run. Default 0.'),
};
const target = {
  url: text.describe('An http: or https: URL.'),
  headers: z.record(z.string(), z.string()).optional().describe('Sent with each request.'),
  maxBodyBytes: count.optional().describe('Longest answer that is read. Default 1048576.'),
  ca: text.optional().describe("Certificates to trust in place of the system's, as PEM."),
};
const socket = {
  host: text.describe('A host name or an IP address.'),
  port: z.number().int().min(1).max(65_535),
};
const limits = {
  maxPercent: percent.optional().describe('Fails above this share in use. Default 95.'),
  warnPercent: percent.optional().describe('Warns above this share in use. Default 85.'),
};

const declaredProbe = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('http'),
    ...common,
    ...target,
    method: text.optional().describe('Default GET.'),
    body: z.string().optional().describe('Sent as it is.'),
    status: z
      .array(z.number().int().min(100).max(599))
      .min(1)
      .optional()
      .describe('Codes that pass. Default 200 to 299.'),
    json: z
      .union([z.record(z.string(), z.unknown()), z.array(z.unknown())])
      .optional()
      .describe('What the JSON body must contain.'),
    maxRedirects: z.number().int().min(0).optional().describe('How many redirects are followed. Default 0.'),
  }),
  z.strictObject({
    type: z.literal('postgres'),
    ...common,
    connectionString: text.describe('postgres://user:password@host:5432/database'),
    query: text.optional().describe('What is asked. Default: whether the server is a primary.'),
    statementTimeout: z
      .union([duration, z.literal(0)])
      .optional()
      .describe('The server ends a statement after this. Default 2s.'),
    applicationName: text.optional().describe('What the server calls the connection. Default botwarden.'),
    allowStandby: z.boolean().optional().describe('Whether a server in recovery passes. Default false.'),
  }),
  z.strictObject({
    type: z.literal('model'),
    ...common,
    ...target,
    protocol: z.enum(['table', 'open-inference']).optional().describe('Default table.'),
    expected: z
      .union([z.array(text).min(1), z.enum(['any', 'none'])])
      .optional()
      .describe('Names that must be loaded. Default any.'),
  }),
  z.strictObject({
    type: z.literal('tick'),
    ...common,
    ...target,
    maxAge: duration.optional().describe('Fails when the last tick is older. Default 60s.'),
    field: text
      .optional()
      .describe('Where the time stands in the JSON body, such as loop.last_tick_at. Default last_tick_at.'),
  }),
  z.strictObject({ type: z.literal('tcp'), ...common, ...socket }),
  z.strictObject({
    type: z.literal('tls'),
    ...common,
    ...socket,
    servername: text.optional().describe('The name that the certificate must be for. Default host.'),
    minDays: z
      .number()
      .min(0)
      .optional()
      .describe('Fails when the certificate ends in fewer days. Default 3.'),
    warnDays: z
      .number()
      .min(0)
      .optional()
      .describe('Warns when the certificate ends in fewer days. Default 14.'),
    ca: text.optional().describe("Certificates to trust in place of the system's, as PEM."),
  }),
  z.strictObject({
    type: z.literal('redis'),
    ...common,
    url: text.describe('redis://user:password@host:6379'),
    ca: text.optional().describe("Certificates to trust in place of the system's, as PEM."),
  }),
  z.strictObject({
    type: z.literal('disk'),
    ...common,
    path: text.describe('Any path on the file system.'),
    ...limits,
  }),
  z.strictObject({ type: z.literal('memory'), ...common, ...limits }),
  z.strictObject({
    type: z.literal('event-loop'),
    ...common,
    maxDelay: duration.optional().describe('Fails when the loop was held up for longer. Default 1s.'),
    warnDelay: duration.optional().describe('Warns when the loop was held up for longer. Default 200ms.'),
  }),
]);

/** What a file of declared probes may hold; `probes.schema.json` is made of it. */
export const declaration = z.strictObject({
  probes: z.array(declaredProbe),
  groups: z
    .record(z.string(), z.array(text))
    .optional()
    .describe(
      'Which probes answer which question, by name: liveness, readiness, startup, or a group of your own.',
    ),
});

/** One declared probe, as it stands in a file. */
export type DeclaredProbe = z.infer<typeof declaredProbe>;

/** The content of `probes.schema.json`. */
export function publishedSchema(): object {
  return { title: 'Declared probes', ...z.toJSONSchema(declaration, { io: 'input' }) };
}
