// What an installer that deploys by itself leaves out: kernel arguments, and images the deployed one binds.
import { realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { fetchBoundImages } from "../deploy/bound-images/find.ts";
import { labelEtc } from "../deploy/selinux-labels.ts";
import { BootcError, doing } from "../errors.ts";
import {
  type BootLoaderEntry,
  isOstreeEntryName,
  parseBootEntry,
  parseBootTarget,
  sortBootEntries,
} from "../host/boot-entry.ts";
import { addKargs, formatKargs, parseKargs } from "../host/kargs.ts";
import { collectKargs } from "../host/kargs-d.ts";
import { readKargsFiles } from "../sysroot/kargs-files.ts";
import type { Context } from "../system/context.ts";
import { openDirectory } from "../system/file-tree.ts";
import { exists, readFileIfAny, replaceFile } from "../system/files.ts";
import { readNamesIfAny } from "../system/optional-file.ts";
import { readInstallConfig } from "./read-config.ts";

export interface InstalledRoot {
  /** The physical root. */
  readonly sysroot: string;
  /** The directory whose `loader` counts. */
  readonly boot: string;
  /** Undefined: that of the first boot entry. */
  readonly stateroot: string | undefined;
}

/** Completes what boots next. Done twice, it changes nothing. */
export async function completeInstall(ctx: Context, root: InstalledRoot): Promise<void> {
  await doing("completing the installation", async () => {
    const dir = join(root.boot, "loader/entries");
    const found = await requireEntry(dir, root.stateroot);
    const deployment = await findDeployment(root.sysroot, found.entry);
    await addArguments(ctx, { ...found, dir, deployment });
    const hasPolicy = await exists(join(deployment, "etc/selinux/config"));
    await labelEtc(ctx, deployment);
    await fetchBoundImages(ctx, {
      sysroot: root.sysroot,
      repo: join(root.sysroot, "ostree/repo"),
      commit: basename(deployment).replace(/\.\d+$/, ""),
      policyRoot: hasPolicy ? deployment : undefined,
    });
  });
}

interface FoundEntry {
  readonly entry: BootLoaderEntry;
  readonly text: string;
}

interface EntryPlace {
  readonly dir: string;
  readonly deployment: string;
}

async function addArguments(
  ctx: Context,
  { entry, text, dir, deployment }: FoundEntry & EntryPlace,
): Promise<void> {
  const config = await readInstallConfig({ ...ctx, root: deployment });
  const kargs = addKargs(
    addKargs(parseKargs(entry.options), (config?.kargs ?? []).flatMap(parseKargs)),
    collectKargs(await readKargsFiles(openDirectory(deployment)), process.arch),
  );
  const options = formatKargs(kargs);
  if (options === entry.options) return;
  const line = /^(\s*options\s+).*$/m;
  await replaceFile(
    join(dir, entry.name),
    text.replace(line, (_, key: string) => key + options),
  );
  ctx.note(`Kernel arguments of the next boot: ${options}`);
}

async function requireEntry(dir: string, stateroot: string | undefined): Promise<FoundEntry> {
  const texts = new Map<string, string>();
  for (const name of (await readNamesIfAny(dir)).filter(isOstreeEntryName)) {
    texts.set(name, (await readFileIfAny(join(dir, name))) ?? "");
  }
  const entries = sortBootEntries([...texts].map(([name, text]) => parseBootEntry(name, text)));
  const entry = entries.find((it) => {
    const target = parseBootTarget(it.options);
    return target !== undefined && (stateroot === undefined || target.stateroot === stateroot);
  });
  if (entry === undefined) throw new BootcError(`\`${dir}\` has no boot entry of a deployment`);
  return { entry, text: texts.get(entry.name) ?? "" };
}

async function findDeployment(sysroot: string, entry: BootLoaderEntry): Promise<string> {
  const target = parseBootTarget(entry.options);
  if (target === undefined) throw new Error("unreachable: the entry was chosen for its target");
  const { bootVersion, stateroot, bootChecksum, index } = target;
  return await realpath(
    join(sysroot, `ostree/boot.${bootVersion}`, stateroot, bootChecksum, index),
  );
}
