// Everything the checks look at, read before the first of them starts.
import { realpath, stat } from "node:fs/promises";
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing } from "../../system/files.ts";
import { readMountsOf } from "../../system/root/mounts.ts";
import type { ImageFacts, Known, Subject } from "../check.ts";
import type { ImageTree } from "../tree.ts";
import { readImage } from "./image.ts";
import { readPackages } from "./packages.ts";
import { walkTree } from "./walk.ts";

export interface Sources {
  /** The root: an absolute path without links. */
  readonly root: string;
  /** A directory, or an image. */
  readonly base: string | undefined;
  readonly image: string | undefined;
}

export async function readSubject(ctx: Context, { root, base, image }: Sources): Promise<Subject> {
  const tree = await readDirectory(ctx, root);
  return {
    tree,
    rootKind: root === "/" ? "running" : "alternative",
    arch: process.arch,
    packages: await readPackages(ctx, root, tree),
    base: await readBase(ctx, base),
    image: await readFacts(ctx, image),
  };
}

/** The path of a root as the user names it, without links. */
export async function requireRootDirectory(path: string): Promise<string> {
  const found = await stat(path).catch(ifMissing(undefined));
  if (found?.isDirectory()) return await realpath(path);
  throw new BootcError(`\`${path}\` is not a directory`, { kind: "usage" });
}

/** The tree at an absolute path without links, without what is mounted in it. */
export async function readDirectory(ctx: Context, root: string): Promise<ImageTree> {
  const mounts = await readMountsOf(ctx, "self");
  return walkTree(root, { mountPoints: new Set(mounts.map((it) => it.path)) });
}

async function readBase(ctx: Context, base: string | undefined): Promise<Known<ImageTree>> {
  if (base === undefined) return { missing: "needs --base" };
  const isDirectory = await stat(base).then((it) => it.isDirectory(), ifMissing(false));
  if (isDirectory) return { value: await readDirectory(ctx, await realpath(base)) };
  if (!base.includes(":")) {
    throw new BootcError(`\`${base}\` is neither a directory nor an image`, {
      kind: "usage",
      hint: "an image is named with its transport: docker://NAME, containers-storage:NAME, oci:DIR",
    });
  }
  return { value: (await readImage(ctx, base)).tree };
}

async function readFacts(ctx: Context, image: string | undefined): Promise<Known<ImageFacts>> {
  if (image === undefined) return { missing: "needs --image" };
  return { value: (await readImage(ctx, image)).facts };
}
