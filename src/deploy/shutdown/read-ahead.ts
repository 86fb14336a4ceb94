// Reads what ostree reads during a shutdown, so that a slow disk need not bring it while the machine is down.
import { lstat, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describeError } from "../../errors.ts";
import { nameDeployment } from "../../host/deployment.ts";
import { keptDeployments } from "../../host/kept-deployments.ts";
import { syncFilesystem } from "../../programs/disk/fs.ts";
import { namedDeploymentDir } from "../../sysroot/paths.ts";
import { readStagedDeployment } from "../../sysroot/staged.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing, readNamesIfAny } from "../../system/files.ts";
import { findSuperseded } from "./postpone-removal.ts";

/** A disk that needs longer gains little: what was read first may be gone from memory by then. */
const LIMIT_MS = 5 * 60_000;

/** The files stay in the kernel's cache. A failure is only noted, for ostree reads them again anyway. */
export async function readAheadOfShutdown(ctx: Context): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined || staged.isLocked) return;
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(LIMIT_MS)]);
  try {
    const sysroot = join(ctx.root, "sysroot");
    const { deployments } = await readSysroot(ctx);
    const postponed = await findSuperseded(ctx);
    const postponedName = postponed && nameDeployment(postponed);
    const kept = keptDeployments(deployments);
    for (const it of deployments) {
      const dir = namedDeploymentDir(sysroot, { ...it, name: nameDeployment(it) });
      const isKept = kept.includes(it) || nameDeployment(it) === postponedName;
      if (it.isStaged || isKept) await readKernel(dir, signal);
      // This one is removed, for which each of its files is looked up.
      else await readTree(dir, { signal, hasContent: false });
      if (it.isStaged || it.isBooted) await readEtc(dir, signal);
    }
  } catch (error) {
    ctx.signal.throwIfAborted();
    ctx.note(`note: not everything is read ahead of the shutdown: ${describeError(error).message}`);
  }
  await flush(ctx);
}

/** Times of access as well, which reading has changed; the shutdown would have to write them. */
async function flush(ctx: Context): Promise<void> {
  try {
    for (const it of ["sysroot", "boot"]) {
      await syncFilesystem(ctx, join(ctx.root, it), { timeoutMs: LIMIT_MS });
    }
  } catch (error) {
    ctx.signal.throwIfAborted();
    ctx.note(`note: the shutdown will have more to write: ${describeError(error).message}`);
  }
}

/** ostree computes the hash anew, for each system that boots afterwards. */
async function readKernel(dir: string, signal: AbortSignal): Promise<void> {
  const modules = join(dir, "usr/lib/modules");
  for (const version of await readNamesIfAny(modules)) {
    for (const name of ["vmlinuz", "initramfs.img", "initramfs"]) {
      await readContent(join(modules, version, name), signal);
    }
  }
}

/** ostree merges the booted system's changes into the staged one. */
async function readEtc(dir: string, signal: AbortSignal): Promise<void> {
  for (const it of ["usr/etc", "etc"]) await readTree(join(dir, it), { signal, hasContent: true });
}

interface ReadTreeOptions {
  readonly signal: AbortSignal;
  readonly hasContent: boolean;
}

async function readTree(dir: string, options: ReadTreeOptions): Promise<void> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(ifMissing([]));
  for (const entry of entries) {
    options.signal.throwIfAborted();
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await readTree(path, options);
    else if (options.hasContent && entry.isFile()) await readContent(path, options.signal);
    else await lstat(path).catch(ifMissing(undefined));
  }
}

const CHUNK = Buffer.allocUnsafe(1 << 20);

async function readContent(path: string, signal: AbortSignal): Promise<void> {
  const file = await open(path, "r").catch(ifMissing(undefined));
  if (file === undefined) return;
  try {
    while ((await file.read(CHUNK, 0, CHUNK.length)).bytesRead > 0) signal.throwIfAborted();
  } finally {
    await file.close();
  }
}
