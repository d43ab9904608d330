// Keeps the page up to date, and says so when it cannot. The server renders; what comes is put in place.
import { Idiomorph } from './idiomorph.js';

/** Without a word from the server for this long the page is out of touch, in milliseconds. It speaks every 5 s. */
const SILENCE_MS = 12_000;
const AGAIN_MS = 5_000;

/** Clocks differ: what the server's is ahead of ours, in milliseconds. */
let ahead = 0;
let heardAt = performance.now();
let source: EventSource | undefined;
let position = '';

const now = (): number => Date.now() + ahead;

function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

function ago(ms: number): string {
  return ms < 2000 ? 'just now' : `${span(ms)} ago`;
}

/** Says for each moment how long ago it was. */
function tellTimes(root: ParentNode): void {
  for (const element of root.querySelectorAll('time')) {
    const at = Date.parse(element.dateTime);
    const text = 'lasting' in element.dataset ? `for ${span(now() - at)}` : ago(now() - at);
    if (element.textContent !== text) element.textContent = text;
    element.title = new Date(at).toLocaleString();
  }
}

/** Says whether what is shown is fresh. An old green must not look like a fresh one. */
function tellTouch(): void {
  const touch = document.getElementById('touch');
  if (touch === null) return;
  const silence = performance.now() - heardAt;
  const lost = silence > SILENCE_MS;
  document.body.dataset.touch = lost ? 'lost' : 'live';
  // All that is seen of a page behind others.
  document.title = `${lost ? 'lost touch' : (document.getElementById('attention')?.dataset.title ?? '')} – Botwarden`;
  const text = lost
    ? `Lost touch with this page's server: last heard ${ago(silence)}. Everything below is old.`
    : 'Live.';
  const shown = touch.firstElementChild ?? touch;
  // Only the seconds change: no screen reader should read them out again and again.
  touch.setAttribute('aria-live', lost && document.body.dataset.said === 'lost' ? 'off' : 'polite');
  document.body.dataset.said = lost ? 'lost' : 'live';
  if (shown.textContent !== text) shown.textContent = text;
}

function put(id: string, markup: string): void {
  const element = document.getElementById(id);
  if (element === null) return;
  Idiomorph.morph(element, markup, {
    morphStyle: 'outerHTML',
    callbacks: {
      // Whether a person opened it is theirs to say.
      beforeAttributeUpdated: (name, node) => !(name === 'open' && node instanceof HTMLDetailsElement),
    },
  });
  const fresh = document.getElementById(id);
  if (fresh === null) return;
  tellTimes(fresh);
  tellTouch();
}

function heard(event: MessageEvent<string>): unknown {
  heardAt = performance.now();
  if (event.lastEventId !== '') position = event.lastEventId;
  return JSON.parse(event.data);
}

function connect(): void {
  const url = new URL(document.body.dataset.events ?? '/events', location.href);
  if (position !== '') url.searchParams.set('since', position);
  const stream = new EventSource(url);
  source = stream;
  stream.addEventListener('clock', (event) => {
    const clock = heard(event) as { now: number; layout: string };
    ahead = clock.now - Date.now();
    // Bots came or went with the server's settings: what is here would stay as it was for ever.
    if (clock.layout !== document.body.dataset.layout) location.reload();
    tellTouch();
  });
  stream.addEventListener('piece', (event) => {
    const { id, html } = heard(event) as { id: string; html: string };
    put(id, html);
  });
  stream.addEventListener('news', (event) => {
    const { text } = heard(event) as { text: string };
    const news = document.getElementById('news');
    if (news !== null) news.textContent = text;
  });
  stream.addEventListener('error', () => {
    // A browser tries again by itself, unless the server answered with an error.
    if (stream.readyState !== EventSource.CLOSED) return;
    setTimeout(() => {
      if (source === stream) connect();
    }, AGAIN_MS);
  });
}

setInterval(() => {
  tellTimes(document);
  tellTouch();
}, 1000);
tellTimes(document);
connect();
