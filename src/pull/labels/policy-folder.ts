// A policy of an image as a folder that ostree can label by. A checkout would not do: ostree follows the
// links in it to the files of this machine.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectories } from "../../system/files.ts";
import { usableContexts, writeContexts } from "./contexts.ts";
import type { ImagePolicy } from "./policy.ts";

/** The folder's name. The image's own one could lead out of it. */
const name = "image";

/** Makes `root` a directory for `ostree commit --selinux-policy`. */
export async function writePolicyFolder(root: string, policy: ImagePolicy): Promise<void> {
  const { binaries } = policy;
  const top = join(root, "usr/etc/selinux");
  await makeDirectories(join(top, name, "policy"));
  await writeFile(join(top, "config"), `SELINUX=enforcing\nSELINUXTYPE=${name}\n`);
  // ostree reads these for their checksum alone.
  for (const it of binaries) await writeFile(join(top, name, "policy", it), "");
  // As in a checkout, all are of the same age, by which libselinux chooses among them.
  const modifiedAt = new Date(0);
  const files = [...(await policy.readFiles())].map(([file, content]) => ({
    ...{ name: file, content, modifiedAt },
  }));
  writeContexts(join(top, name), usableContexts(files));
}
