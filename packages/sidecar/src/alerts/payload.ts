import type { Alert } from './alert.ts';

/** The longest text that is sent, in characters: Discord takes 2,000. */
const TEXT_MAX = 1_900;

/**
 * What is POSTed: `text` is what Slack reads, `content` what Discord does; the facts are for programs. `late`: it comes
 * long after it happened, which a reader must be able to tell.
 */
export function payload(botName: string, alert: Alert, at: string, late: boolean): object {
  const end = late ? ` (of ${at}; it could not be delivered before)` : '';
  const line = `[botwarden ${botName}] ${alert.text}`.slice(0, TEXT_MAX - end.length) + end;
  return {
    text: line,
    content: line,
    botwarden: { ...alert.fields, bot: botName, event: alert.event, severity: alert.severity, at },
  };
}

/** Masks the secrets in an alert, wherever in it they stand. */
export function masker(secrets: readonly string[]): (alert: Alert) => Alert {
  const words = secrets
    .filter((secret) => secret.length >= 3)
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .sort((a, b) => b.length - a.length);
  const mask = (text: string): string => words.reduce((rest, word) => rest.replaceAll(word, '***'), text);
  return (alert) =>
    JSON.parse(
      JSON.stringify(alert, (_, value: unknown) => (typeof value === 'string' ? mask(value) : value)),
    ) as Alert;
}
