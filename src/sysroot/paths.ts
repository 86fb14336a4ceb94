// Where ostree keeps things on a host.
import { join } from "node:path";
import { type Deployment, type NamedDeployment, nameDeployment } from "../host/deployment.ts";
import type { Context } from "../system/context.ts";

/** The directory that holds a deployment's files. */
export function deploymentDir(
  ctx: Context,
  it: Pick<Deployment, "stateroot" | "checksum" | "serial">,
): string {
  return namedDeploymentDir(join(ctx.root, "sysroot"), { ...it, name: nameDeployment(it) });
}

/** The same below any physical root, for a deployment known by its name: `COMMIT.SERIAL`. */
export function namedDeploymentDir(sysroot: string, { stateroot, name }: NamedDeployment): string {
  return join(sysroot, "ostree/deploy", stateroot, "deploy", name);
}
