// The deployments on the disk of a sysroot, whether or not something boots them.
import { join } from "node:path";
import { readFileIfAny, readNamesIfAny } from "../system/files.ts";

export interface DeploymentOnDisk {
  readonly stateroot: string;
  /** `COMMIT.SERIAL`. */
  readonly name: string;
  readonly commit: string;
  readonly serial: number;
  /** The directory of its files. */
  readonly dir: string;
  /** The path of its origin file, which may be missing. */
  readonly originFile: string;
}

export interface OriginText {
  readonly path: string;
  readonly text: string;
}

/** The deployments below the physical root `sysroot`, in the order of their names. */
export async function listDeploymentsOnDisk(sysroot: string): Promise<readonly DeploymentOnDisk[]> {
  return (await listDeployFiles(sysroot)).flatMap(({ stateroot, dir, name }) => {
    const [, commit, serial] = /^([0-9a-f]{64})\.(\d+)$/.exec(name) ?? [];
    if (commit === undefined || serial === undefined) return [];
    const path = join(dir, name);
    return [
      { stateroot, name, commit, serial: Number(serial), dir: path, originFile: `${path}.origin` },
    ];
  });
}

/** The origin files below `sysroot`, including those whose deployment is gone. */
export async function readOrigins(sysroot: string): Promise<readonly OriginText[]> {
  const origins: OriginText[] = [];
  for (const { dir, name } of await listDeployFiles(sysroot)) {
    if (!name.endsWith(".origin")) continue;
    const path = join(dir, name);
    const text = await readFileIfAny(path);
    if (text !== undefined) origins.push({ path, text }); // otherwise gone since it was listed
  }
  return origins;
}

/** All that is beside deployments, and they themselves. */
export async function listDeployFiles(sysroot: string) {
  const top = join(sysroot, "ostree/deploy");
  const files = [];
  for (const stateroot of await readNamesIfAny(top)) {
    const dir = join(top, stateroot, "deploy");
    for (const name of await readNamesIfAny(dir)) files.push({ stateroot, dir, name });
  }
  return files;
}
