// Splits an ostree commit of given files into the layers of a container image.
import { execFileSync } from "node:child_process";
import { encapsulatedTars } from "../../tests/repo/images/encapsulate.ts";
import { machineOstree } from "../../tests/repo/ostree-versions.ts";
import { createTestRepo } from "../../tests/repo/test-repo.ts";
import { type ArchiveEntry, formatTar } from "../../xtask/archive/archive.ts";

export interface EncapsulatedBase {
  readonly commit: string;
  /** The commit layer, then the chunks. */
  readonly tars: readonly Buffer[];
  readonly lastTar: Buffer;
}

/** Makes `chunkCount` chunks and the commit layer, which also has its share of the content. */
export async function makeEncapsulatedBase(
  entries: readonly ArchiveEntry[],
  chunkCount: number,
): Promise<EncapsulatedBase> {
  const repo = createTestRepo(machineOstree());
  try {
    const args = ["commit", `--repo=${repo.repo}`, "--branch=base", "--tree=tar=-"];
    const fixed = ["--tar-autocreate-parents", "--timestamp=@0", "--no-bindings"];
    const input = formatTar(entries, 0);
    const commit = execFileSync("ostree", [...args, ...fixed], { input, encoding: "utf8" }).trim();
    const { commitLayer, chunks } = encapsulatedTars(repo, commit, { style: "v1", chunkCount });
    const tars = [commitLayer, ...chunks];
    return { commit, tars, lastTar: tars.at(-1) ?? commitLayer };
  } finally {
    repo.remove();
  }
}
