// The kargs.d files of a deployment on disk, and of a commit that is not deployed yet.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KargsFile } from "../host/kargs-d.ts";
import { parseDirtree } from "../ostree/dirtree.ts";
import { parseCommit } from "../ostree/objects.ts";
import type { Context } from "../system/context.ts";
import { readNamesIfAny, readTextIfAny } from "../system/optional-file.ts";

const DIR = "usr/lib/bootc/kargs.d";

/** Those in the deployment whose files are at `dir`. Directories in there, and links to nothing, are none. */
export async function readDeployedKargsFiles(dir: string): Promise<readonly KargsFile[]> {
  const top = join(dir, DIR);
  const names = (await readNamesIfAny(top)).filter(isKargsName);
  const files = await Promise.all(
    names.map(async (name) => ({ name, text: await readTextIfAny(join(top, name)) })),
  );
  return files.flatMap(({ name, text }) => (text === undefined ? [] : [{ name, text }]));
}

/** Those in a commit of the repository at `repo`. */
export async function readCommittedKargsFiles(
  ctx: Context,
  repo: string,
  commit: string,
): Promise<readonly KargsFile[]> {
  let tree = parseCommit(await readObject(repo, commit, "commit")).rootTree;
  for (const part of DIR.split("/")) {
    const { dirs } = parseDirtree(await readObject(repo, tree, "dirtree"));
    const next = dirs.find((it) => it.name === part);
    if (next === undefined) return [];
    tree = next.tree;
  }
  const { files } = parseDirtree(await readObject(repo, tree, "dirtree"));
  const names = files.map((it) => it.name).filter(isKargsName);
  return await Promise.all(
    names.map(async (name) => ({
      name,
      text: await ctx.read("ostree", ["cat", `--repo=${repo}`, commit, `/${DIR}/${name}`]),
    })),
  );
}

function isKargsName(name: string): boolean {
  return name.endsWith(".toml");
}

async function readObject(repo: string, checksum: string, kind: string): Promise<Buffer> {
  return await readFile(
    join(repo, "objects", checksum.slice(0, 2), `${checksum.slice(2)}.${kind}`),
  );
}
