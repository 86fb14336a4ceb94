// Decides whether a deployment can be reached by a soft reboot: what systemd, ostree and SELinux ask for.
import type { Deployment } from "./deployment.ts";
import { formatKargs, parseKargs, removeKey } from "./kargs.ts";

/** What the decision asks about the host. Most deployments are decided before everything was asked. */
export interface SoftRebootFacts {
  /** systemd has soft reboots. */
  hasTarget(): Promise<boolean>;
  /** A process is started for this. */
  ostree(): Promise<OstreeVersion>;
  /** ostree makes the next root from a composefs image only. */
  usesComposefs(deployment: Deployment): Promise<boolean>;
  /** The running kernel's policy would fit the other deployment, or there is none. */
  hasSamePolicy(booted: Deployment, target: Deployment): Promise<boolean>;
}

export interface OstreeVersion {
  readonly version: string;
  isAtLeast(version: string): boolean;
}

/** The first ostree that can prepare a soft reboot. */
const SINCE = "2025.3";

/** What stands in the way of a soft reboot into `target`; undefined when nothing does. */
export async function decideSoftRebootObstacle(
  booted: Deployment | undefined,
  target: Deployment,
  facts: SoftRebootFacts,
): Promise<string | undefined> {
  if (booted === undefined) return "the running deployment is unknown";
  const difference = compareKernels(booted, target);
  if (difference !== undefined) return difference;
  if (!(await facts.usesComposefs(target))) return "it does not run from composefs";
  const lack = await decideSoftRebootLack(facts);
  if (lack !== undefined) return lack;
  const ostree = await facts.ostree();
  // These versions abort on such a deployment.
  const hasOptions = target.bootOptions?.includes("ostree=") === true;
  if (!ostree.isAtLeast("2025.7") && !hasOptions) {
    return `its kernel arguments are unknown, and ostree ${ostree.version} needs them`;
  }
  const isSame = await facts.hasSamePolicy(booted, target);
  return isSame ? undefined : "its SELinux policy is different";
}

/** Why this host has no soft reboots at all, whatever the deployment; undefined when it has. */
export async function decideSoftRebootLack(
  facts: Pick<SoftRebootFacts, "hasTarget" | "ostree">,
): Promise<string | undefined> {
  if (!(await facts.hasTarget())) return "systemd is older than 254";
  const { version, isAtLeast } = await facts.ostree();
  return isAtLeast(SINCE) ? undefined : `ostree ${version} is older than ${SINCE}`;
}

/** The kernel keeps running with its arguments; ostree compares both, including the order of arguments. */
function compareKernels(booted: Deployment, target: Deployment): string | undefined {
  if (target === booted) return "it is the running deployment";
  if (target.bootChecksum !== booted.bootChecksum) return "its kernel or initramfs is different";
  // A staged deployment without arguments of its own gets those of the booted deployment.
  if (target.bootOptions === undefined) return undefined;
  const [left, right] = [booted, target].map(({ bootOptions }) =>
    formatKargs(removeKey(parseKargs(bootOptions ?? ""), "ostree")),
  );
  return left === right ? undefined : "its kernel arguments are different";
}
