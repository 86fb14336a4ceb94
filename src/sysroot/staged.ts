// The deployment that ostree finalizes at shutdown: /run/ostree/staged-deployment, an `a{sv}`.
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { NamedDeployment } from "../host/deployment.ts";
import { formatVariant } from "../ostree/gvariant.ts";
import { parseDictionary } from "../ostree/objects.ts";
import type { Context } from "../system/context.ts";
import { exists, readBytesIfAny, replaceFile } from "../system/files.ts";
import type { BootableDeployment } from "./boot-entries.ts";

export interface StagedDeployment extends BootableDeployment {
  readonly isStaged: true;
  /** A shutdown does not apply the deployment, and the staged deployment is lost. */
  readonly isLocked: boolean;
  /** The deployment whose changes to `/etc` ostree will copy into the staged one, if any. */
  readonly mergeSource: NamedDeployment | undefined;
}

const FILE = "run/ostree/staged-deployment";

type Entries = ReturnType<typeof parseDictionary>;

export async function readStagedDeployment(ctx: Context): Promise<StagedDeployment | undefined> {
  const bytes = await readBytesIfAny(join(ctx.root, FILE));
  if (bytes === undefined) return undefined;
  const entries = parseDictionary(bytes);
  const target = entriesOf(entries, "target") ?? [];
  const bootChecksum = textOf(target, "bootcsum");
  if (!bootChecksum) throw noDeployment();
  const source = entriesOf(entries, "merge-deployment");
  const kargs = variantOf(entries, "kargs", "as") as readonly string[] | undefined;
  return {
    ...requireNamed(target),
    bootChecksum,
    options: kargs?.join(" "),
    isStaged: true,
    isLocked:
      variantOf(entries, "locked", "b") === true ||
      (await exists(join(ctx.root, `${FILE}-locked`))),
    mergeSource: source && requireNamed(source),
  };
}

function requireNamed(entries: Entries): NamedDeployment {
  const [name, stateroot] = [textOf(entries, "name"), textOf(entries, "osname")];
  if (name && stateroot && /^[0-9a-f]{64}\.\d+$/.test(name)) return { name, stateroot };
  throw noDeployment();
}

function noDeployment(): BootcError {
  return new BootcError(`\`/${FILE}\` does not name a deployment`, { kind: "integrity" });
}

/** When a deployment was staged. Newer versions of ostree write the file anew to change its lock. */
export function readStagedMs(ctx: Context): number | undefined {
  const found = statSync(join(ctx.root, FILE), { throwIfNoEntry: false });
  return found && Math.round(found.mtimeMs);
}

/** Extension keys that the staged deployment's boot loader entry gets, by name. */
const KEYS = "bootconfig-extra";
const KEYS_TYPE = "a{ss}";

export async function readStagedEntryKeys(ctx: Context): Promise<ReadonlyMap<string, string>> {
  const bytes = await readBytesIfAny(join(ctx.root, FILE));
  return readEntryKeys(bytes === undefined ? [] : parseDictionary(bytes));
}

function readEntryKeys(entries: Entries): ReadonlyMap<string, string> {
  return new Map(variantOf(entries, KEYS, KEYS_TYPE) as readonly [string, string][] | undefined);
}

/**
 * Adds extension keys, which `ostree admin deploy` has no option for. Without them, a shutdown in between
 * applies the arguments alone; the same command run again then records who owns them.
 */
export async function addStagedEntryKeys(
  ctx: Context,
  keys: ReadonlyMap<string, string>,
): Promise<void> {
  const path = join(ctx.root, FILE);
  const entries = parseDictionary(await readFile(path));
  const value = [...new Map([...readEntryKeys(entries), ...keys])];
  const others = entries.filter(([key]) => key !== KEYS);
  const changed = [...others, [KEYS, { type: KEYS_TYPE, value }] as const];
  await replaceFile(path, formatVariant("a{sv}", changed), { mode: 0o644 });
}

function entriesOf(entries: Entries, key: string): Entries | undefined {
  return variantOf(entries, key, "a{sv}") as Entries | undefined;
}

function textOf(entries: Entries, key: string): string | undefined {
  return variantOf(entries, key, "s") as string | undefined;
}

function variantOf(entries: Entries, key: string, type: string): unknown {
  const variant = entries.find(([name]) => name === key)?.[1];
  return variant?.type === type ? variant.value : undefined;
}
