export type { AccountBook } from './book.ts';
export type { Fault, Misdeed } from './faults.ts';
export { type Key, PAPER_KEY } from './keys.ts';
export { type PaperExchange, type PaperExchangeOptions, startPaperExchange } from './paper-exchange.ts';
export type { OrderRequest } from './venue/account.ts';
export { INSTRUMENTS, type Instrument, instrument } from './venue/instruments.ts';
export type { Call } from './wire/call-log.ts';
