// Where ostree keeps things on a host.
import { join } from "node:path";
import { type Deployment, nameDeployment } from "../host/deployment.ts";
import type { Context } from "../system/context.ts";

/** The directory that holds a deployment's files. */
export function deploymentDir(
  ctx: Context,
  it: Pick<Deployment, "stateroot" | "checksum" | "serial">,
): string {
  return join(ctx.root, "sysroot/ostree/deploy", it.stateroot, "deploy", nameDeployment(it));
}
