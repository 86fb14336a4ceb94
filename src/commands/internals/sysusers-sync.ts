// `bootc internals sysusers-sync`: remove shadow entries of users that no longer exist.
import { link, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing, errnoOf } from "../../errors.ts";
import { parseEntryNames, pruneShadow } from "../../host/boot/shadow.ts";
import { keepLabel } from "../../programs/selinux.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny, replaceFile } from "../../system/files.ts";

/** Shadow files, each with the database that its names come from. */
const PAIRS = [
  ["shadow", "passwd"],
  ["gshadow", "group"],
] as const;

export async function sysusersSync(ctx: Context): Promise<void> {
  for (const [shadow, database] of PAIRS) {
    await doing(`removing entries from \`/etc/${shadow}\``, () => sync(ctx, shadow, database));
  }
}

async function sync(ctx: Context, shadow: string, database: string): Promise<void> {
  const path = join(ctx.root, "etc", shadow);
  // Usually there is nothing to do; then nothing is locked or written.
  if ((await pruned(ctx, path, database)) === undefined) return;
  await withShadowLock(path, async () => {
    const text = await pruned(ctx, path, database);
    if (text !== undefined) await keepLabel(ctx, path, () => replaceFile(path, text));
  });
  ctx.note(`Removed entries of unknown names from /etc/${shadow}`);
}

async function pruned(ctx: Context, path: string, database: string): Promise<string | undefined> {
  const shadow = await readFileIfAny(path);
  if (shadow === undefined) return undefined;
  const local = (await readFileIfAny(join(ctx.root, "etc", database))) ?? "";
  const shipped = (await readFileIfAny(join(ctx.root, "usr/lib", database))) ?? "";
  return pruneShadow(shadow, parseEntryNames(`${local}\n${shipped}`));
}

/**
 * Holds the lock of useradd and passwd: `FILE.lock`, a link to a file with our process id. These files
 * have another lock, fcntl on /etc/.pwd.lock. Only systemd-sysusers takes it, and our unit runs before it.
 */
async function withShadowLock(path: string, work: () => Promise<void>): Promise<void> {
  const own = `${path}.${process.pid}`;
  const lock = `${path}.lock`;
  await writeFile(own, `${process.pid}\0`, { mode: 0o600 });
  try {
    if (!(await tryLink(own, lock))) {
      await removeStaleLock(lock);
      if (!(await tryLink(own, lock))) throw heldByAnother(lock);
    }
    try {
      await work();
    } finally {
      await rm(lock, { force: true });
    }
  } finally {
    await rm(own, { force: true });
  }
}

/** Takes `lock`; false if somebody else holds it. */
async function tryLink(own: string, lock: string): Promise<boolean> {
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    return false;
  }
}

/** After a power cut, the lock is still in /etc, but its process is gone. Judges this as useradd does. */
async function removeStaleLock(lock: string): Promise<void> {
  const text = await readFileIfAny(lock);
  if (text === undefined) return;
  // The kernel's process ids have at most seven digits.
  const pid = /^\d{1,7}(?!\d)/.exec(text)?.[0];
  if (pid !== undefined && isAlive(Number(pid))) throw heldByAnother(lock);
  await rm(lock, { force: true });
}

function isAlive(pid: number): boolean {
  // If a lock that we do not hold has our number, a process of an earlier boot had that number.
  if (pid === process.pid || pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
    if (errnoOf(error) === "EPERM") return true;
    throw error;
  }
}

function heldByAnother(lock: string): BootcError {
  return new BootcError(`\`${lock}\` is held by another program`, {
    kind: "busy",
    hint: "wait for it to end",
  });
}
