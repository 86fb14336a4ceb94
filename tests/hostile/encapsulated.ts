// Makes an ostree commit into layers of an image, the same in every run, to be damaged like other layers.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encapsulatedTars } from "../repo/images/encapsulate.ts";
import { dir, file, makeTar, symlink } from "../repo/images/tar-writer.ts";

export interface EncapsulatedSeed {
  readonly commit: string;
  /** The layer with the metadata first, then those with content. */
  readonly tars: readonly Buffer[];
}

const TREE = makeTar([
  dir("."),
  dir("usr"),
  dir("usr/bin"),
  file("usr/bin/a", "a", { mode: 0o755, xattrs: { "user.x": "1" } }),
  file("usr/bin/b", "b"),
  symlink("usr/bin/c", "b"),
  dir("usr/etc"),
  file("usr/etc/conf", "conf\n"),
  file("usr/empty"),
]);

export async function makeEncapsulated(): Promise<EncapsulatedSeed> {
  const work = await mkdtemp(join(tmpdir(), "bootc-hostile-seed-"));
  const repo = join(work, "repo");
  const ostree = (verb = "", ...words: readonly string[]) =>
    execFileSync("ostree", [verb, `--repo=${repo}`, ...words], { encoding: "utf8" }).trim();
  try {
    ostree("init", "--mode=bare");
    await writeFile(join(work, "tree.tar"), TREE);
    const what = ["--timestamp=@0", "--subject=base", `--tree=tar=${join(work, "tree.tar")}`];
    const commit = ostree("commit", "--branch=base", ...what);
    const options = { style: "newest", chunkCount: 2 } as const;
    const { commitLayer, chunks } = encapsulatedTars({ repo, ostree }, commit, options);
    return { commit, tars: [commitLayer, ...chunks] };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
