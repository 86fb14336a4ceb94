// Which deployment boots next after `bootc rollback`.
import { BootcError } from "../errors.ts";
import { assignSlots } from "./assemble-host.ts";
import type { Deployment } from "./deployment.ts";

export interface RollbackDecision {
  /** `revert` cancels a queued rollback. */
  readonly kind: "rollback" | "revert";
  /** The deployment that boots next. */
  readonly next: Deployment;
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
  return {
    kind: isRollbackQueued ? "revert" : "rollback",
    next: isRollbackQueued ? booted : rollback,
    booted,
    rollback,
  };
}
