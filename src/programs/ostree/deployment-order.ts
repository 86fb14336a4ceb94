// The deployments as `ostree admin status` lists them. ostree's commands count by that list, which also has
// entries that we cannot read.
import { BootcError } from "../../errors.ts";
import { isSameDeployment, type NamedDeployment } from "../../host/deployment.ts";
import type { Context } from "../../system/context.ts";

/** The deployments in the order in which ostree counts them: those of the host, or of another sysroot. */
export async function readDeploymentOrder(
  ctx: Context,
  { sysroot }: { readonly sysroot?: string } = {},
): Promise<readonly NamedDeployment[]> {
  const where = sysroot === undefined ? [] : [`--sysroot=${sysroot}`];
  return parseDeploymentOrder(await ctx.read("ostree", ["admin", "status", ...where]));
}

/** Parses lines such as `* default COMMIT.0 (staged)`; details of a deployment are indented more. */
export function parseDeploymentOrder(text: string): readonly NamedDeployment[] {
  return [...text.matchAll(/^(?:\* | {1,2})(\S+) ([0-9a-f]{64}\.\d+)(?: \(.*\))?$/gm)].map(
    ([, stateroot = "", name = ""]) => ({ stateroot, name }),
  );
}

/** The number by which ostree's commands know a deployment. */
export function requireIndex(
  order: readonly NamedDeployment[],
  deployment: NamedDeployment,
): number {
  const index = order.findIndex((it) => isSameDeployment(it, deployment));
  if (index >= 0) return index;
  throw new BootcError(`ostree does not list \`${deployment.name}\``);
}
