// `bootc install finalize`: the last call of an external installer before it unmounts the new root.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";
import { requireRoot } from "../../system/privileges.ts";

/** Makes sure the root has something to boot; there is nothing to change at present. */
export async function finalizeInstall(ctx: Context, root: string): Promise<void> {
  await requireRoot(ctx);
  if (await hasDeployment(root)) return;
  throw new BootcError(`Failed to find deployment in ${root}`, {
    hint: "give the physical root of an installed system",
  });
}

async function hasDeployment(root: string): Promise<boolean> {
  const top = join(root, "ostree/deploy");
  if (!(await exists(top))) return false;
  for (const stateroot of await readdir(top)) {
    const dir = join(top, stateroot, "deploy");
    if (!(await exists(dir))) continue;
    if ((await readdir(dir)).some((it) => it.endsWith(".origin"))) return true;
  }
  return false;
}
