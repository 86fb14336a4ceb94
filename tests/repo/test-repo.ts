// A test's repository: made and queried by the ostree under test, and removed afterwards.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importLayer, type LayerImport } from "../../src/pull/import/layer.ts";
import { canWriteObjects, createBatches } from "../../src/pull/store/batches.ts";
import { deletePrivateRefs } from "../../src/repository/clean/cleanup.ts";
import type { Context } from "../../src/system/context.ts";
import { createContext } from "../../src/system/run.ts";
import type { OstreeVersion } from "./ostree-versions.ts";

export interface TestRepo {
  readonly ctx: Context;
  readonly repo: string;
  /** A directory beside the repository, on the same file system. */
  readonly work: string;
  /** Runs `ostree --repo=…`; its output. */
  ostree(...args: readonly string[]): string;
  remove(): void;
}

export function createTestRepo({ env }: OstreeVersion, mode = "bare"): TestRepo {
  const work = mkdtempSync(join(tmpdir(), "repository-"));
  const repo = join(work, "repo");
  const ostree = (...args: readonly string[]) => {
    const [verb = "", ...rest] = args;
    return execFileSync("ostree", [verb, `--repo=${repo}`, ...rest], {
      env,
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  };
  ostree("init", `--mode=${mode}`);
  // These tests do not check durability, which would take minutes.
  ostree("config", "set", "core.fsync", "false");
  return {
    ctx: createContext({ env }),
    repo,
    work,
    ostree,
    remove: () => rmSync(work, { recursive: true, force: true }),
  };
}

/** A context in which `ostree` first does what a line of shell says, its arguments in "$@". */
export function contextWith({ env }: OstreeVersion, it: TestRepo, line: string): Context {
  const bin = mkdtempSync(join(it.work, "bin-"));
  const script = `#!/bin/sh\n${line}\nPATH=\${PATH#*:} exec ostree "$@"\n`;
  writeFileSync(join(bin, "ostree"), script, { mode: 0o755 });
  return createContext({ env: { ...env, PATH: `${bin}:${env.PATH ?? process.env.PATH}` } });
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Deletes the refs that keep the parts of an image while it is pulled. */
export async function forgetPull({ repo }: TestRepo): Promise<void> {
  await deletePrivateRefs(repo);
}

/** Who writes layers that both can write: ostree, or ourselves. */
export type Writer = "ostree" | "ours";

/**
 * Imports `blob`, with its real digest and size unless `more` says otherwise. By default, the writer is the one that
 * a pull would choose.
 */
export async function importBlob(
  it: TestRepo,
  blob: Uint8Array,
  { writer, ...more }: Partial<LayerImport> & { readonly writer?: Writer } = {},
) {
  const digest = more.digest ?? digestOf(blob);
  const path = join(it.work, digestOf(blob).slice(7));
  writeFileSync(path, blob);
  const isWritable = await canWriteObjects(it.repo);
  if (writer === "ours" && !isWritable) throw new Error("ostree alone can write here");
  const isOurs = writer === undefined ? isWritable : writer === "ours";
  const batches = isOurs ? await createBatches(it.ctx, it.repo) : undefined;
  const request: LayerImport = {
    batches,
    repo: it.repo,
    kind: "derived",
    layerDigest: digest,
    blob: path,
    digest,
    sizeBytes: blob.length,
    filter: { allowsNonUsr: true, retainsVar: true },
    importerVersion: "test",
    ...more,
  };
  try {
    const layer = await importLayer(it.ctx, request);
    await layer.durable;
    return layer;
  } finally {
    await batches?.remove();
  }
}

/** Root dirtree and dirmeta of a commit, as `ostree ls` prints them. */
export function rootsOf(it: TestRepo, commit: string): readonly [tree: string, meta: string] {
  const line = it.ostree("ls", "-d", "-C", commit, "/");
  const [tree = "", meta = ""] = line.match(/[0-9a-f]{64}/g) ?? [];
  return [tree, meta];
}

function hasKernel(root: string): boolean {
  const modules = join(root, "usr/lib/modules");
  if (!existsSync(modules)) return false;
  return readdirSync(modules).some((it) => existsSync(join(modules, it, "vmlinuz")));
}

/** Stock ostree's merge of the layers: checked out over one another, and committed as a directory. */
export function stockMerge(
  it: TestRepo,
  { base, derived }: { readonly base?: string | undefined; readonly derived: readonly string[] },
): string {
  const top = mkdtempSync(join(it.repo, "tmp", "stock-"));
  const root = join(top, "root");
  try {
    if (base !== undefined) it.ostree("checkout", "--union", "-H", "-z", base, root);
    for (const layer of derived)
      it.ostree("checkout", "--union", "--whiteouts", "-H", "-z", layer, root);
    for (const name of ["hostname", "resolv.conf"]) {
      const path = join(root, "usr/etc", name);
      if (lstatSync(path, { throwIfNoEntry: false })?.size === 0) rmSync(path);
    }
    if (hasKernel(root) && !lstatSync(join(root, "var"), { throwIfNoEntry: false })) {
      // Ours always has a mount point for /var, which stock ostree's may lack.
      mkdirSync(join(root, "var"));
      chmodSync(join(root, "var"), lstatSync(root).mode);
    }
    return it.ostree("commit", "--orphan", "--no-bindings", `--tree=dir=${root}`, "--timestamp=@0");
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}
