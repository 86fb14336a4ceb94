// `bootc container export`: the root of an image as a tar, labelled by the SELinux policy in it.
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BootcError, doing } from "../../errors.ts";
import type { Kernel } from "../../lint/kernel.ts";
import { findKernel, MODULES_DIR } from "../../lint/kernel.ts";
import { readDirectory, requireRootDirectory } from "../../lint/read/subject.ts";
import type { Entry, ImageTree } from "../../lint/tree.ts";
import { openLabelsOf } from "../../pull/labels/of-directory.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing } from "../../system/files.ts";
import { formatHeader, paddingOf } from "../../tar/header.ts";

export interface ExportOptions {
  readonly format: "tar";
  readonly output?: string;
  readonly kernelInBoot?: boolean;
  readonly disableSelinux?: boolean;
}

export async function exportContainer(
  ctx: Context,
  target: string,
  options: ExportOptions,
): Promise<void> {
  const root = await requireRootDirectory(target);
  const tree = await readDirectory(ctx, root);
  const entries = [
    ...tree.entries.filter((it) => !LEFT_OUT.test(it.path)),
    // A root needs these directories, for the same mounts.
    ...tree.mountPoints.filter((it) => !LEFT_OUT.test(it.path)),
    ...(options.kernelInBoot === true ? kernelEntries(tree) : []),
  ];
  for (const it of entries) requireExportable(it);
  const labels = options.disableSelinux === true ? undefined : await openLabels(root, tree);
  try {
    const tar = Readable.from(
      writeTar(root, entries, (it) => labels?.lookUp(`/${it.path}`, typeOf(it))),
    );
    await doing(`exporting \`${target}\``, () => writeTo(ctx, tar, options.output));
  } finally {
    labels?.close();
  }
}

/** What only a machine has; the directories themselves stay, as a root needs them. */
const LEFT_OUT = /^(sysroot\/ostree|tmp|var\/tmp)\//;

/** An entry of the tar, and the file its content comes from if that is another one. */
interface ExportEntry extends Entry {
  readonly from?: string;
}

/** What a boot loader that knows nothing of /usr/lib/modules wants; a unified kernel is in /boot already. */
function kernelEntries(tree: ImageTree): readonly ExportEntry[] {
  const kernel = findKernel(tree);
  if (kernel === undefined || kernel.isUnified) return [];
  const dir = { kind: "directory", mode: 0o755, uid: 0, gid: 0, sizeBytes: 0 } as const;
  const rest = { target: undefined, inode: undefined, isMountPoint: false, notUtf8: undefined };
  const missing = ["boot", "boot/grub2"].filter((it) => tree.at(it) === undefined);
  return [
    ...missing.map((path) => ({ ...dir, ...rest, path })),
    ...copyOf(tree, kernel, { name: "vmlinuz", path: `boot/vmlinuz-${kernel.version}` }),
    ...copyOf(tree, kernel, {
      name: "initramfs.img",
      path: `boot/initramfs-${kernel.version}.img`,
    }),
  ];
}

function copyOf(
  tree: ImageTree,
  { version }: Kernel,
  { name, path }: { readonly name: string; readonly path: string },
): readonly ExportEntry[] {
  const entry = tree.follow(`${MODULES_DIR}/${version}/${name}`);
  if (entry?.kind !== "file" || tree.at(path) !== undefined) return [];
  return [{ ...entry, path, inode: undefined, from: entry.path }];
}

function requireExportable({ path, kind, notUtf8 }: Entry): void {
  if (notUtf8 !== undefined)
    throw new BootcError(`\`/${path}\` has a ${notUtf8} that is not UTF-8`);
  if (kind === "file" || kind === "directory" || kind === "link") return;
  throw new BootcError(`\`/${path}\` is a ${kind}, which cannot be exported`, {
    hint: "`bootc container lint` lists all of them",
  });
}

/** Undefined when the image has no policy. Links could lead to the policy of another system. */
async function openLabels(root: string, tree: ImageTree) {
  const dirs = ["etc", "etc/selinux", "usr/etc", "usr/etc/selinux"];
  if (dirs.some((it) => tree.at(it)?.kind === "link")) {
    throw new BootcError("the directory of the SELinux policy is a link", {
      hint: "use --disable-selinux",
    });
  }
  return await openLabelsOf(root);
}

const TYPES = { directory: 0o040000, file: 0o100000, link: 0o120000 } as const;

function typeOf({ kind }: Entry): number {
  return kind === "directory" || kind === "link" ? TYPES[kind] : TYPES.file;
}

async function* writeTar(
  root: string,
  entries: readonly ExportEntry[],
  labelOf: (entry: Entry) => string | undefined,
): AsyncGenerator<Buffer> {
  const firstNames = new Map<string, string>();
  for (const entry of entries) {
    const linkedTo = entry.inode === undefined ? undefined : firstNames.get(entry.inode);
    if (entry.inode !== undefined) firstNames.set(entry.inode, linkedTo ?? entry.path);
    yield headerOf(entry, linkedTo, labelOf(entry));
    if (entry.kind === "file" && linkedTo === undefined) yield* contentOf(root, entry);
  }
  yield Buffer.alloc(1024);
}

function headerOf(entry: Entry, linkedTo: string | undefined, label: string | undefined): Buffer {
  const kinds = { directory: "directory", link: "symlink" } as const;
  const kind = entry.kind === "directory" || entry.kind === "link" ? kinds[entry.kind] : "file";
  return formatHeader({
    type: linkedTo === undefined ? kind : "hardlink",
    name: entry.kind === "directory" ? `${entry.path}/` : entry.path,
    linkName: linkedTo ?? entry.target ?? "",
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    sizeBytes: kind === "file" && linkedTo === undefined ? entry.sizeBytes : 0,
    records:
      label === undefined ? [] : [["SCHILY.xattr.security.selinux", Buffer.from(label)] as const],
  });
}

async function* contentOf(root: string, { path, from, sizeBytes }: ExportEntry) {
  let bytes = 0;
  if (sizeBytes > 0) {
    const file = createReadStream(join(root, from ?? path), {
      end: sizeBytes - 1,
      highWaterMark: 1 << 18,
    });
    for await (const piece of file as AsyncIterable<Buffer>) {
      bytes += piece.length;
      yield piece;
    }
  }
  if (bytes < sizeBytes) throw new BootcError(`\`/${path}\` became shorter while it was read`);
  yield Buffer.alloc(paddingOf(sizeBytes));
}

/** A file that is not complete is removed. */
async function writeTo(ctx: Context, tar: Readable, output: string | undefined): Promise<void> {
  if (output !== undefined) {
    try {
      await pipeline(tar, createWriteStream(output), { signal: ctx.signal });
    } catch (error) {
      // Not a device or a pipe.
      const written = await lstat(output).catch(ifMissing(undefined));
      if (written?.isFile()) await rm(output);
      throw error;
    }
    return;
  }
  if (ctx.terminal.isStdoutTerminal) {
    throw new BootcError("a tar is not for a terminal", {
      kind: "usage",
      hint: "give --output FILE",
    });
  }
  await pipeline(tar, process.stdout, { signal: ctx.signal, end: false });
}
