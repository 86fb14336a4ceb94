// The package's three sources: our own files, the vendored packages, the runtimes.
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { list } from "tar";
import { BootcError, doing } from "../../src/errors.ts";
import { type ArchiveEntry, writeArchive } from "../archive/archive.ts";
import { makeOnce } from "../archive/make-once.ts";
import { writeWhole } from "../archive/write-whole.ts";
import { type Checkout, formatVersionFile, VERSION_FILE } from "../checkout/checkout.ts";
import { readGit } from "../checkout/git.ts";
import { type PackedRuntimes, packRuntimes } from "../runtime/pack.ts";
import type { Tree } from "../task.ts";
import type { VendorManifest } from "../vendor/manifest.ts";
import { packVendor } from "../vendor.ts";

/** The archives, by paths relative to the checkout, and facts about their content. */
export interface PackageSources {
  /** Our own files. */
  readonly source: string;
  readonly vendor: { readonly path: string; readonly manifest: VendorManifest };
  readonly runtime: PackedRuntimes;
}

/** Packs all three; an archive that was already made from the same inputs is reused. */
export async function packSources(tree: Tree, checkout: Checkout): Promise<PackageSources> {
  const source = await packSource(tree, checkout);
  const vendor = await packVendor(tree, checkout);
  const runtime = await packRuntimes(tree);
  return { source, vendor: { ...vendor, path: relative(tree.top, vendor.path) }, runtime };
}

/** Names of the committed files, sorted; with uncommitted changes, those of the working copy. */
export async function readSourceNames(
  tree: Tree,
  { treeish }: Checkout,
): Promise<readonly string[]> {
  const listed = await readGit(tree, [
    "ls-tree",
    "-r",
    "-z",
    "--name-only",
    "--full-tree",
    treeish,
  ]);
  return listed.split("\0").filter((it) => it !== "");
}

/**
 * Packs the commit's files to `target/NAME.tar.zst`, the same bytes every time. The archive contains a
 * `VERSION` file, so that builds from it need no git.
 */
export async function packSource(tree: Tree, checkout: Checkout): Promise<string> {
  if (!checkout.isRepository) {
    throw new BootcError("only a git repository can be packed as a source archive", {
      hint: "work in a clone made by `git clone`",
    });
  }
  const hash = await readGit(tree, ["rev-parse", `${checkout.treeish}^{tree}`]);
  const versionFile = formatVersionFile(checkout);
  const made = await makeOnce(
    tree,
    { name: checkout.archiveName, suffix: ".tar.zst", inputs: [hash, versionFile] },
    async (temp) => {
      const entries = await readCommitted(tree, checkout);
      const version = entryOf(VERSION_FILE, Buffer.from(versionFile));
      const placed = [...entries, version].map((it) => ({
        ...it,
        path: `${checkout.archiveName}/${it.path}`,
      }));
      const { signal } = tree.ctx;
      await writeArchive(temp, placed, {
        format: "tar.zst",
        mtimeEpoch: checkout.commitEpoch,
        signal,
      });
    },
  );
  const path = join("target", `${checkout.archiveName}.tar.zst`);
  await writeWhole(join(tree.top, path), (temp) => copyFile(made, temp));
  return path;
}

/** What `git archive` packs, regardless of how the user's git is configured to convert files. */
async function readCommitted(tree: Tree, { treeish }: Checkout): Promise<readonly ArchiveEntry[]> {
  const folder = join(tree.top, "target");
  await mkdir(folder, { recursive: true });
  const file = join(folder, `.source-${process.pid}.tar`);
  const neutral = ["-c", "core.autocrlf=false", "-c", "core.attributesFile=/dev/null"];
  try {
    await readGit(tree, [...neutral, "archive", "--format=tar", `--output=${file}`, treeish]);
    return await doing("reading what git packed", () => readTar(file));
  } finally {
    await rm(file, { force: true });
  }
}

async function readTar(file: string): Promise<readonly ArchiveEntry[]> {
  const pending: Promise<ArchiveEntry>[] = [];
  await list({
    file,
    strict: true,
    onReadEntry: (entry) => {
      if (entry.type === "SymbolicLink") {
        const content = { kind: "link", target: entry.linkpath ?? "" } as const;
        pending.push(Promise.resolve({ path: entry.path, content }));
        entry.resume();
      } else if (entry.type === "File") {
        const isExecutable = ((entry.mode ?? 0) & 0o100) !== 0;
        pending.push(
          entry.concat().then((bytes) => ({ ...entryOf(entry.path, bytes), isExecutable })),
        );
      } else entry.resume();
    },
  });
  return await Promise.all(pending);
}

function entryOf(path: string, bytes: Uint8Array): ArchiveEntry {
  return { path, content: { kind: "bytes", bytes } };
}
