// Reads the token file that `copr-cli` also uses: ~/.config/copr, as shown on the server's /api page.
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";
import type { Context } from "../../src/system/context.ts";
import { isMissing, readFileIfAny } from "../../src/system/files.ts";

export interface Credentials {
  /** Address of the server, without a slash at the end. */
  readonly url: string;
  readonly username: string | undefined;
  readonly login: string;
  readonly token: string;
  /** The last day of the token, from the file's comment: `2027-05-01`. */
  readonly expiresOn: string | undefined;
}

export const DEFAULT_URL = "https://copr.fedorainfracloud.org";
/** For CI: the file's text is a secret in the environment, and is never written to a disk. */
const VARIABLE = "COPR_TOKEN_FILE_TEXT";
const WARN_DAYS = 14;
const DAY_MS = 86_400_000;

/** Reads the token file at `path`, the environment variable, or ~/.config/copr. */
export async function readCredentials(ctx: Context, path?: string): Promise<Credentials> {
  const text = textInEnvironment(ctx);
  if (path === undefined && text !== undefined) return parseCredentials(text, `$${VARIABLE}`);
  const file = path ?? usualFile(ctx);
  const credentials = parseCredentials(await readTokenFile(file), file);
  await warnIfReadableByOthers(ctx, file);
  return credentials;
}

/** Whether one of the usual places has a token. */
export async function hasCredentials(ctx: Context): Promise<boolean> {
  if (textInEnvironment(ctx) !== undefined) return true;
  // A file that cannot be looked at exists; reading it will say why.
  return await stat(usualFile(ctx)).then(
    () => true,
    (error: unknown) => !isMissing(error),
  );
}

function textInEnvironment(ctx: Context): string | undefined {
  return ctx.env[VARIABLE] === "" ? undefined : ctx.env[VARIABLE];
}

function usualFile(ctx: Context): string {
  return join(ctx.env.HOME ?? homedir(), ".config", "copr");
}

async function readTokenFile(file: string): Promise<string> {
  const text = await doing(`cannot read the token file \`${file}\``, () => readFileIfAny(file));
  if (text !== undefined) return text;
  throw new BootcError(`there is no token file \`${file}\``, {
    kind: "authentication",
    hint: `log in at ${DEFAULT_URL}/api/ and save the text shown there as ${file}`,
  });
}

async function warnIfReadableByOthers(ctx: Context, file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o077) === 0) return;
  ctx.note(
    `warning: other users can read the token in ${file}; \`chmod 600 ${file}\` prevents that`,
  );
}

/** Parses the ini file that `copr-cli` reads. Errors call it `name` and never repeat its content. */
export function parseCredentials(text: string, name: string): Credentials {
  const sections = parseIni(text);
  const own = sections.get("copr-cli");
  if (own === undefined) throw badFile(name, "has no `[copr-cli]` section");
  const section = new Map([...(sections.get("DEFAULT") ?? []), ...own]);
  const isEncrypted = parseBoolean(section, "encrypted", name) ?? true;
  const isKerberos = parseBoolean(section, "gssapi", name) ?? false;
  if (isKerberos && !section.has("token")) {
    throw badFile(name, "asks for Kerberos (`gssapi`), which is not supported");
  }
  const missing = ["login", "token"].filter((key) => !section.get(key));
  if (missing.length > 0) {
    throw badFile(name, `has no ${missing.map((it) => `\`${it}\``).join(" and no ")}`);
  }
  const url = (section.get("copr_url") ?? DEFAULT_URL).replace(/\/+$/, "");
  requireEncryption(url, { isOptedOut: !isEncrypted, name });
  return {
    url,
    username: section.get("username"),
    login: section.get("login") ?? "",
    token: section.get("token") ?? "",
    expiresOn: /^\s*[#;]\s*expiration date:\s*(\d{4}-\d{2}-\d{2})/im.exec(text)?.[1],
  };
}

function requireEncryption(
  url: string,
  { isOptedOut, name }: { readonly isOptedOut: boolean; readonly name: string },
): void {
  const protocol = URL.parse(url)?.protocol;
  if (protocol === "https:" || (protocol === "http:" && isOptedOut)) return;
  if (protocol !== "http:") throw badFile(name, `has \`copr_url = ${url}\`, which is not a URL`);
  throw new BootcError(`${name}: \`${url}\` would send the token unencrypted`, {
    kind: "authentication",
    hint: "use https, or add `encrypted = false` for your own server",
  });
}

/** Parses a boolean like Python's configparser, with which `copr-cli` reads the file. */
function parseBoolean(
  section: ReadonlyMap<string, string>,
  key: string,
  name: string,
): boolean | undefined {
  const text = section.get(key);
  if (text === undefined) return undefined;
  if (/^(1|yes|true|on)$/i.test(text)) return true;
  if (/^(0|no|false|off)$/i.test(text)) return false;
  throw badFile(name, `has \`${key} = ${text}\`, which is neither yes nor no`);
}

function badFile(name: string, problem: string): BootcError {
  return new BootcError(`the token file ${name} ${problem}`, {
    kind: "authentication",
    hint: `log in at ${DEFAULT_URL}/api/ and save the text shown there`,
  });
}

function parseIni(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let current: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1];
    if (header !== undefined) {
      current = new Map<string, string>();
      sections.set(header.trim(), current);
      continue;
    }
    const [, key, value] = /^\s*([^#;=:\s][^=:]*?)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) current?.set(key.toLowerCase(), value);
  }
  return sections;
}

/** A warning about the end of the token, as of `nowMs`; `undefined` if there is enough time. */
export function describeExpiry(credentials: Credentials, nowMs: number): string | undefined {
  if (credentials.expiresOn === undefined) return undefined;
  // The token still works on its last day.
  const days = Math.floor((Date.parse(credentials.expiresOn) + DAY_MS - nowMs) / DAY_MS);
  const where = `get a new one at ${credentials.url}/api/`;
  if (days < 0) return `the token ended on ${credentials.expiresOn}; ${where}`;
  if (days <= WARN_DAYS) return `the token ends on ${credentials.expiresOn}; ${where}`;
  return undefined;
}

/** `text` without the login and the token, in case a server repeats them. */
export function redact(text: string, credentials: Credentials | undefined): string {
  if (credentials === undefined) return text;
  const secrets = [credentials.token, credentials.login].filter(Boolean);
  return secrets.reduce((it, secret) => it.replaceAll(secret, "***"), text);
}
