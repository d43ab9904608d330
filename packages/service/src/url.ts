/** A URL without user and password. A text that is no URL loses whatever stands before an @ in it. */
export function withoutCredentials(text: string): string {
  const url = URL.parse(text);
  if (url?.host === undefined || url.host === '') {
    // Not a URL, as where the scheme was forgotten: whatever stands before an @ may be a password.
    return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1***@');
  }
  if (url.username === '' && url.password === '') return text;
  // The last @ before path, query and fragment, as the URL standard has it; a / in a password ends it there, too.
  return text.replace(/\/\/[^/?#]*@/, '//***@');
}

/** The password in a URL, as it is written and as it is meant; none where there is none. */
export function passwordsOf(text: string): string[] {
  const password = URL.parse(text)?.password ?? '';
  return password === '' ? [] : [password, decoded(password) ?? password];
}

/** A percent-encoded text, decoded; undefined where a % in it begins no escape. */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
