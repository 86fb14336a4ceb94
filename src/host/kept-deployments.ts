// Which deployments a new one leaves in place. ostree decides it (`ostree admin deploy`); this is its rule.
import { assignSlots } from "./assemble-host.ts";
import type { Deployment } from "./deployment.ts";

/** The booted deployment, pinned ones, and those of other stateroots; the others give way to a new one. */
export function keptDeployments(deployments: readonly Deployment[]): readonly Deployment[] {
  const { booted } = assignSlots(deployments);
  return deployments.filter(
    (it) => it === booted || it.isPinned || it.stateroot !== booted?.stateroot,
  );
}
