// The keys by which people log in now, so that they can log in to the new system.
import { open, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { readSessions } from "../programs/logind.ts";
import { parseKeyFiles, readKeyFilePatterns } from "../programs/sshd.ts";
import type { Context } from "../system/context.ts";
import { ifMissing, readFileIfAny } from "../system/files.ts";
import { failureOf } from "../system/run.ts";

export interface UserKeys {
  readonly user: string;
  /** Lines of authorized_keys files, with their options and comments. */
  readonly keys: readonly string[];
}

export interface Login {
  readonly name: string;
  readonly uid: string;
  readonly home: string;
}

/** The keys of root and of everybody who is logged in; people without keys are left out. */
export async function readUserKeys(ctx: Context): Promise<readonly UserKeys[]> {
  const [patterns, sessions, passwd] = await Promise.all([
    ifPossible(readKeyFilePatterns(ctx), parseKeyFiles("")),
    ifPossible(readSessions(ctx), []),
    readFileIfAny(join(ctx.root, "etc/passwd")),
  ]);
  const accounts = parseLogins(passwd ?? "");
  const found: UserKeys[] = [];
  for (const user of [...new Set(["root", ...sessions.map((it) => it.user)])].toSorted()) {
    const account = accounts.get(user);
    if (account === undefined) continue; // of a directory service, whose home may not even be mounted
    const files = keyFilesOf(account, patterns);
    const keys = (await Promise.all(files.map((it) => readKeys(join(ctx.root, it))))).flat();
    if (keys.length > 0) found.push({ user, keys: [...new Set(keys)] });
  }
  return found;
}

/** The answer of a program that may be missing or refuse: then people choose without it. */
async function ifPossible<T>(asking: Promise<T>, otherwise: T): Promise<T> {
  return await asking.catch((error: unknown) => {
    if (failureOf(error) === undefined) throw error;
    return otherwise;
  });
}

/** Format: passwd(5). */
export function parseLogins(passwd: string): ReadonlyMap<string, Login> {
  const accounts = passwd.split("\n").flatMap((line) => {
    const [name = "", , uid = "", , , home = ""] = line.split(":");
    return name !== "" && isAbsolute(home) ? [[name, { name, uid, home }] as const] : [];
  });
  return new Map(accounts);
}

/** Format: `AuthorizedKeysFile` in sshd_config(5). */
export function keyFilesOf(account: Login, patterns: readonly string[]): readonly string[] {
  const values: Readonly<Record<string, string>> = {
    "%%": "%",
    "%h": account.home,
    "%u": account.name,
    "%U": account.uid,
  };
  return patterns
    .filter((it) => it !== "none")
    .map((it) => it.replaceAll(/%./g, (token) => values[token] ?? token))
    .map((it) => (isAbsolute(it) ? it : join(account.home, it)));
}

/** More than any person has; a user decides what is behind the name. */
const KEYS_MAX_BYTES = 1 << 20;

async function readKeys(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch(ifMissing(undefined));
  // Opening a pipe would wait for its other end.
  if (found === undefined || !found.isFile()) return [];
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(Math.min(found.size, KEYS_MAX_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return parseAuthorizedKeys(bytes.toString("utf8", 0, bytesRead));
  } finally {
    await file.close();
  }
}

const KEY =
  /(?:^|\s)(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp\d+|sk-\S+)\S*\s+AAAA[\w+/]+=*(?:\s|$)/;

/** Whatever is not a key stays behind: a link may lead anywhere, and root reads it. */
export function parseAuthorizedKeys(text: string): readonly string[] {
  return text
    .split("\n")
    .map((it) => it.trim())
    .filter((it) => !it.startsWith("#") && KEY.test(it));
}
