// Which deployments stay when a new one comes.
import { assignSlots } from "./assemble-host.ts";
import type { Deployment } from "./deployment.ts";

/**
 * Which deployments a new one in `stateroot` leaves in place, by the rule of `ostree admin deploy`: the
 * booted one, pinned ones and those of other stateroots. By default, the new one is in the booted stateroot.
 */
export function keptDeployments(
  deployments: readonly Deployment[],
  stateroot?: string,
): readonly Deployment[] {
  const { booted } = assignSlots(deployments);
  const own = stateroot ?? booted?.stateroot;
  return deployments.filter(
    (it) => it === booted || it.isPinned || (it.stateroot !== own && !it.isStaged),
  );
}
