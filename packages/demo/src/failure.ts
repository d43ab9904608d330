/** What keeps the demo from going on, or from ending well. */
export type DemoErrorCode =
  | 'SYSTEM_UNSUPPORTED'
  | 'SETTING_INVALID'
  | 'PORT_TAKEN'
  | 'PYTHON_UNUSABLE'
  | 'PART_FAILED'
  | 'NOT_READY'
  | 'REAPER_FAILED'
  | 'LEFT_BEHIND';

/** The demo cannot go on; the message is one sentence for a person, and says what to do. */
export class DemoError extends Error {
  override readonly name = 'DemoError';
  readonly code: DemoErrorCode;

  constructor(code: DemoErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
