// Which deployments the boot loader knows, in its order. Its entries are files under /boot, which some
// systems close to users; for these there is a copy under /run, and failing that, ostree's own refs.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, describeError, errnoOf } from "../errors.ts";
import {
  type BootLoaderEntry,
  isOstreeEntryName,
  parseBootEntry,
  parseBootTarget,
  sortBootEntries,
} from "../host/boot/boot-entry.ts";
import type { NamedDeployment, UnreadableEntry } from "../host/deployment.ts";
import type { Context } from "../system/context.ts";
import {
  ifMissing,
  isForbidden,
  isMissing,
  readLinkIfAny,
  readNamesIfAny,
} from "../system/files.ts";

/** A deployment as the boot loader's side of ostree names it. */
export interface BootableDeployment extends NamedDeployment {
  readonly bootChecksum: string;
  /** Undefined when the entry could not be read. */
  readonly options: string | undefined;
}

export interface BootEntries {
  /** The default first. */
  readonly deployments: readonly BootableDeployment[];
  readonly unreadable: readonly UnreadableEntry[];
  /** When the entries were read, RFC 3339; undefined for just now. */
  readonly readAt: string | undefined;
}

/**
 * Where privileged runs leave a copy of the entries for everybody: a link to a directory with the files and
 * with the links `boot.N`.
 */
export const ENTRIES_COPY = "run/bootc/boot-entries";

interface EntriesCopy {
  readonly readAt: string;
  readonly files: readonly EntryFile[];
}

/** One of ostree's files in the directory of entries. */
export interface EntryFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Why it could not be read, if so. */
  readonly problem?: string;
}

export async function readBootEntries(ctx: Context): Promise<BootEntries> {
  const files = await readEntryFiles(ctx);
  if (files !== undefined) return { ...(await resolveEntries(ctx, files)), readAt: undefined };
  const copy = await readCopy(ctx);
  if (copy !== undefined) {
    return { ...(await resolveEntries(ctx, copy.files)), readAt: copy.readAt };
  }
  return { deployments: await readFromRefs(ctx), unreadable: [], readAt: undefined };
}

/** Attempts to list the entries: ostree replaces all of them at once, and systemd renames one, meanwhile. */
const LOOKS = 3;

/**
 * ostree's entry files; undefined when we may not read them, an empty list when there are none. A disk that
 * does not answer is an error: without any entry, a host would look as if nothing was installed on it.
 */
export async function readEntryFiles(ctx: Context): Promise<readonly EntryFile[] | undefined> {
  try {
    const files = await listEntryFiles(join(ctx.root, "boot/loader/entries"));
    const problems =
      files?.flatMap(({ problem }) => (problem === undefined ? [] : [problem])) ?? [];
    if (problems.length === 0 || problems.length !== files?.length) return files;
    throw new BootcError(problems[0] ?? "");
  } catch (cause) {
    throw new BootcError("the boot loader's entries in `/boot/loader/entries` cannot be read", {
      cause,
      hint: "check the disk that holds /boot: `journalctl --dmesg --priority err`",
    });
  }
}

/** ostree's entry files in `dir`, unsorted; undefined when we may not read them. */
export async function listEntryFiles(dir: string): Promise<readonly EntryFile[] | undefined> {
  for (let look = 1; ; look++) {
    try {
      const names = (await readdir(dir)).filter(isOstreeEntryName);
      return await Promise.all(
        names.map((name) => readEntryFile(dir, name, { isLast: look === LOOKS })),
      );
    } catch (error) {
      if (isForbidden(error)) return undefined;
      if (!isMissing(error)) throw error;
      if (look === LOOKS) return [];
    }
  }
}

/** The text of the entry that boots the deployment `COMMIT.SERIAL`; undefined when there is none. */
export async function readEntryTextOf(ctx: Context, name: string): Promise<string | undefined> {
  for (const file of (await readEntryFiles(ctx)) ?? []) {
    if (file.problem !== undefined) continue;
    const { deployments } = await resolveEntries(ctx, [file]);
    if (deployments.some((it) => it.name === name)) return file.text;
  }
  return undefined;
}

/** A file that is there and cannot be read is one odd entry among others. */
async function readEntryFile(
  dir: string,
  name: string,
  { isLast }: { readonly isLast: boolean },
): Promise<EntryFile> {
  try {
    const bytes = await readFile(join(dir, name));
    return { name, bytes, text: bytes.toString("utf8") };
  } catch (error) {
    if (isForbidden(error) || (isMissing(error) && !isLast)) throw error;
    return { name, bytes: Buffer.alloc(0), text: "", problem: describeError(error).message };
  }
}

/** The copy, unless ostree has written another set of entries since, or it is closed to us as well. */
async function readCopy(ctx: Context): Promise<EntriesCopy | undefined> {
  const copy = join(ctx.root, ENTRIES_COPY);
  try {
    const [links, files, info] = await Promise.all([
      readBootTarget(copy),
      listEntryFiles(copy),
      stat(copy).catch(ifMissing(undefined)),
    ]);
    if (info === undefined || files === undefined || files.length === 0) return undefined;
    if (links !== (await readBootTarget(join(ctx.root, BOOT_LINKS)))) return undefined;
    return { readAt: info.mtime.toISOString().replace(/\.\d+Z$/, "Z"), files };
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return undefined;
  }
}

const BOOT_LINKS = "sysroot/ostree";

/** The links `boot.N` of ostree, by name, which say which set of entries this is. */
export async function readOstreeLinks(ctx: Context): Promise<Readonly<Record<string, string>>> {
  return await readBootLinks(join(ctx.root, BOOT_LINKS));
}

/** The links `boot.N` in `dir`, by name. During a change there may be two. */
async function readBootLinks(dir: string): Promise<Readonly<Record<string, string>>> {
  const names = ["boot.0", "boot.1"];
  const targets = await Promise.all(names.map((it) => readLinkIfAny(join(dir, it))));
  return Object.fromEntries(
    names.flatMap((name, i) => {
      const target = targets[i];
      return target === undefined ? [] : [[name, target]];
    }),
  );
}

/** Where the current `boot.N` points, as `boot.N.M`; two of them, one after the other, during a change. */
async function readBootTarget(dir: string): Promise<string | undefined> {
  const found = Object.values(await readBootLinks(dir));
  return found.length === 0 ? undefined : found.join(" ");
}

async function resolveEntries(
  ctx: Context,
  files: readonly EntryFile[],
): Promise<Omit<BootEntries, "readAt">> {
  const deployments: BootableDeployment[] = [];
  const unreadable: UnreadableEntry[] = files.flatMap(({ name, problem }) =>
    problem === undefined ? [] : [{ name, problem }],
  );
  const readable = files.filter((it) => it.problem === undefined);
  for (const entry of sortBootEntries(readable.map((it) => parseBootEntry(it.name, it.text)))) {
    try {
      deployments.push(await resolveEntry(join(ctx.root, "sysroot"), entry));
    } catch (error) {
      unreadable.push({ name: entry.name, problem: describeError(error).message });
    }
  }
  return { deployments, unreadable };
}

/** The deployment below the physical root `sysroot` that an entry boots. */
export async function resolveEntry(
  sysroot: string,
  entry: BootLoaderEntry,
): Promise<BootableDeployment> {
  const target = parseBootTarget(entry.options);
  if (target === undefined) throw new BootcError("it does not have a valid `ostree=` argument");
  const { bootVersion, stateroot, bootChecksum, index } = target;
  const link = `ostree/boot.${bootVersion}/${stateroot}/${bootChecksum}/${index}`;
  const name = nameFromLink(await readLinkIfAny(join(sysroot, link)), stateroot);
  if (name === undefined) throw new BootcError(`\`/${link}\` does not name a deployment`);
  return { stateroot, name, bootChecksum, options: entry.options };
}

/** `../../../deploy/STATEROOT/deploy/COMMIT.SERIAL` -> `COMMIT.SERIAL`. */
function nameFromLink(link: string | undefined, stateroot: string): string | undefined {
  const [, owner, name] =
    /(?:^|\/)deploy\/([^/]+)\/deploy\/([0-9a-f]{64}\.\d+)$/.exec(link ?? "") ?? [];
  return owner === stateroot ? name : undefined;
}

/**
 * Without any entries: ostree numbers its refs `ostree/N/M/I` in the order of deployments, and
 * `boot.N.M` has a link to each of them.
 */
async function readFromRefs(ctx: Context): Promise<readonly BootableDeployment[]> {
  const target = (await readBootTarget(join(ctx.root, BOOT_LINKS)))?.split(" ", 1)[0];
  const [, n, m] = /^boot\.(\d)\.(\d)$/.exec(target ?? "") ?? [];
  if (target === undefined || n === undefined || m === undefined) return [];
  const linked = await readLinkedDeployments(join(ctx.root, "sysroot/ostree", target));
  const refs = join(ctx.root, "sysroot/ostree/repo/refs/heads/ostree", n, m);
  const names = (await readNamesIfAny(refs)).filter((it) => /^\d+$/.test(it));
  const numbered = names.sort((a, b) => Number(a) - Number(b));
  const commits = await Promise.all(numbered.map((it) => readOrderingRef(join(refs, it))));
  const position = ({ name }: BootableDeployment) => {
    const found = commits.indexOf(name.slice(0, 64));
    return found === -1 ? commits.length : found;
  };
  return linked.sort((a, b) => position(a) - position(b));
}

/**
 * ostree may rename the refs while they are read, and other entries there are not ours to judge. A deployment
 * whose ref cannot be read is known by its link and comes last.
 */
async function readOrderingRef(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

async function readLinkedDeployments(dir: string): Promise<BootableDeployment[]> {
  const found: BootableDeployment[] = [];
  for (const stateroot of await readNamesIfAny(dir)) {
    for (const bootChecksum of await readNamesIfAny(join(dir, stateroot))) {
      const links = join(dir, stateroot, bootChecksum);
      for (const index of await readNamesIfAny(links)) {
        const name = nameFromLink(await readLinkIfAny(join(links, index)), stateroot);
        if (name !== undefined) found.push({ stateroot, name, bootChecksum, options: undefined });
      }
    }
  }
  return found;
}
