// Which deployment boots next after `bootc rollback`.
import { BootcError } from "../errors.ts";
import { assignSlots } from "./assemble-host.ts";
import type { Deployment } from "./deployment.ts";

export interface RollbackDecision {
  /** `revert` cancels a queued rollback. */
  readonly kind: "rollback" | "revert";
  /** The deployment that boots next. */
  readonly next: Deployment;
  /** Its index in ostree's list. */
  readonly index: number;
  readonly booted: Deployment;
  readonly rollback: Deployment;
}

export function decideRollback(deployments: readonly Deployment[]): RollbackDecision {
  const { booted, rollback, isRollbackQueued } = assignSlots(deployments);
  if (booted === undefined || rollback === undefined) {
    throw new BootcError("No rollback available", { kind: "unsupported" });
  }
  if (rollback.content === undefined) {
    throw new BootcError("Rollback is not container image based", { kind: "unsupported" });
  }
  const next = isRollbackQueued ? booted : rollback;
  return {
    kind: isRollbackQueued ? "revert" : "rollback",
    next,
    index: deployments.indexOf(next),
    booted,
    rollback,
  };
}
