// The kargs.d files of an image: in a deployment on disk, or in a commit that is not deployed yet.
import type { KargsFile } from "../host/image-kargs.ts";
import type { FileTree } from "../system/root/file-tree.ts";

const DIR = "usr/lib/bootc/kargs.d";

/** Skips dangling links and whatever is not a file. */
export async function readKargsFiles(tree: FileTree): Promise<readonly KargsFile[]> {
  const names = (await tree.readNames(DIR)).filter((it) => it.endsWith(".toml"));
  const files = await Promise.all(
    names.map(async (name) => ({ name, text: await tree.readTextIfAny(`${DIR}/${name}`) })),
  );
  return files.flatMap(({ name, text }) => (text === undefined ? [] : [{ name, text }]));
}
