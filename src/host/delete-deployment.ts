// Which deployment `bootc delete-deployment NAME` means.
import { BootcError } from "../errors.ts";
import { assignSlots } from "./assemble-host.ts";
import { type Deployment, nameDeployment } from "./deployment.ts";

/** What a deployment is to this host. */
export type DeploymentRole = "staged" | "booted" | "rollback" | "pinned" | "other";

export interface Deletion {
  readonly deployment: Deployment;
  readonly role: DeploymentRole;
}

/** A word, or the beginning of a name or of a digest, of at least this many characters. */
const PREFIX_MIN = 4;

/** `name` is `staged`, `rollback`, or the beginning of a commit's checksum or of an image's digest. */
export function decideDeletion(deployments: readonly Deployment[], name: string): Deletion {
  const all = deployments.map((it) => ({ deployment: it, role: roleOf(it, deployments) }));
  const found = all.filter((it) => isNamed(it, name));
  const [only] = found;
  const choices = { kind: "usage", hint: describeChoices(all) } as const;
  if (only === undefined) throw new BootcError(`Deployment ${name} not found`, choices);
  if (found.length > 1) throw new BootcError(`\`${name}\` names several deployments`, choices);
  if (only.role === "booted") {
    throw new BootcError("Cannot delete currently booted deployment", {
      kind: "usage",
      hint: "boot another deployment first, for example with `bootc rollback --apply`",
    });
  }
  return only;
}

function roleOf(deployment: Deployment, all: readonly Deployment[]): DeploymentRole {
  const { staged, booted, rollback } = assignSlots(all);
  if (deployment === staged) return "staged";
  if (deployment === booted) return "booted";
  if (deployment === rollback) return "rollback";
  return deployment.isPinned ? "pinned" : "other";
}

function isNamed({ deployment, role }: Deletion, name: string): boolean {
  const full = nameDeployment(deployment);
  if (["staged", "booted", "rollback"].includes(name)) return role === name;
  const digest = deployment.content?.digest ?? "";
  const isLong = name.replace(/^sha256:/, "").length >= PREFIX_MIN;
  return isLong && (full.startsWith(name) || digest.startsWith(name));
}

function describeChoices(all: readonly Deletion[]): string {
  const others = all.filter((it) => it.role !== "booted");
  if (others.length === 0) return "this host has only the booted deployment";
  const names = others.map((it) => `${describeRole(it)} ${nameDeployment(it.deployment)}`);
  return `this host has: ${names.join(", ")}`;
}

/** The role in words, with the stateroot of a deployment that has no role. */
export function describeRole({ deployment, role }: Deletion): string {
  return role === "other" ? `stateroot ${deployment.stateroot}` : role;
}
