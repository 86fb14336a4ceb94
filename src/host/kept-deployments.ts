// Which deployments stay when a new one comes.
import { assignSlots } from "./assemble-host.ts";
import type { Deployment } from "./deployment.ts";

/**
 * Which deployments a new one leaves in place, by the rule of `ostree admin deploy`: the booted one, pinned
 * ones and those of other stateroots.
 */
export function keptDeployments(deployments: readonly Deployment[]): readonly Deployment[] {
  const { booted } = assignSlots(deployments);
  return deployments.filter(
    (it) => it === booted || it.isPinned || it.stateroot !== booted?.stateroot,
  );
}
