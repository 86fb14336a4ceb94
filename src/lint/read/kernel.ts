// The kernel of the image at a root, for verbs that need no more of it.
import { stat } from "node:fs/promises";
import { ifMissing } from "../../system/files.ts";
import { openDirectory } from "../../system/root/file-tree.ts";
import { resolveInRoot } from "../../system/root/in-root.ts";
import { decideKernel, type Kernel, MODULES_DIR, UNIFIED_DIR } from "../kernel.ts";

export async function readKernel(root: string): Promise<Kernel | undefined> {
  const tree = openDirectory(root);
  const versions: string[] = [];
  for (const name of await tree.readNames(MODULES_DIR)) {
    if (await hasFile(root, `${MODULES_DIR}/${name}/vmlinuz`)) versions.push(name);
  }
  return decideKernel({ unified: await tree.readNames(UNIFIED_DIR), versions });
}

/** Whether a file is there, links followed inside the root. */
export async function hasFile(root: string, path: string): Promise<boolean> {
  const found = await stat(await resolveInRoot(root, path)).catch(ifMissing(undefined));
  return found?.isFile() === true;
}
