// Adds what other installers leave out after they deploy an image: kernel arguments and bound images.
import { join } from "node:path";
import { fetchBoundImages } from "../deploy/bound-images/find.ts";
import { labelEtc } from "../deploy/label-etc.ts";
import { BootcError, doing } from "../errors.ts";
import {
  type BootLoaderEntry,
  parseBootEntry,
  parseBootTarget,
  sortBootEntries,
} from "../host/boot/boot-entry.ts";
import { collectKargs } from "../host/image-kargs.ts";
import { addKargs, formatKargs, parseKargs } from "../host/kargs.ts";
import { listEntryFiles, resolveEntry } from "../sysroot/boot-entries.ts";
import { readKargsFiles } from "../sysroot/image-kargs.ts";
import { namedDeploymentDir } from "../sysroot/paths.ts";
import type { Context } from "../system/context.ts";
import { exists, replaceFile } from "../system/files.ts";
import { openDirectory } from "../system/root/file-tree.ts";
import { readInstallConfig } from "./read-config.ts";

export interface InstalledRoot {
  /** The physical root. */
  readonly sysroot: string;
  /** The boot directory, which contains `loader`. */
  readonly boot: string;
  /** Undefined means the stateroot of the first boot entry. */
  readonly stateroot: string | undefined;
}

/** Completes the deployment that boots next. A second call changes nothing. */
export async function completeInstall(ctx: Context, root: InstalledRoot): Promise<void> {
  await doing("completing the installation", async () => {
    const dir = join(root.boot, "loader/entries");
    const found = await requireEntry(dir, root.stateroot);
    const booting = await resolveEntry(root.sysroot, found.entry);
    const deployment = namedDeploymentDir(root.sysroot, booting);
    await addArguments(ctx, { ...found, dir, deployment });
    const hasPolicy = await exists(join(deployment, "etc/selinux/config"));
    await labelEtc(ctx, deployment);
    await fetchBoundImages(ctx, {
      sysroot: root.sysroot,
      repo: join(root.sysroot, "ostree/repo"),
      commit: booting.name.slice(0, 64),
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
  const files = (await listEntryFiles(dir)) ?? [];
  const odd = files.find((it) => it.problem !== undefined);
  // The unreadable entry may be the one that boots next.
  if (odd !== undefined) throw new BootcError(`the boot entry \`${odd.name}\`: ${odd.problem}`);
  const entries = sortBootEntries(files.map((it) => parseBootEntry(it.name, it.text)));
  const entry = entries.find((it) => {
    const target = parseBootTarget(it.options);
    return target !== undefined && (stateroot === undefined || target.stateroot === stateroot);
  });
  const text = files.find((it) => it.name === entry?.name)?.text;
  if (entry !== undefined && text !== undefined) return { entry, text };
  throw new BootcError(`\`${dir}\` has no boot entry for a deployment`);
}
