// From deployments to the host document: which is staged, booted, the rollback, or none of these.
import type { Deployment, Sysroot, Unlocked, UnreadableEntry } from "./deployment.ts";
import {
  type BootEntry,
  DEFAULT_HOST,
  ENTRIES_READ_AT,
  type HostDocument,
  type UsrOverlay,
} from "./document.ts";
import { toImageStatus } from "./image-status.ts";

/** Which deployment plays which role. */
export interface Slots {
  readonly staged: Deployment | undefined;
  readonly booted: Deployment | undefined;
  readonly rollback: Deployment | undefined;
  readonly others: readonly Deployment[];
  /** The rollback deployment boots next. */
  readonly isRollbackQueued: boolean;
}

/** The rollback is the booted stateroot's first deployment that is neither staged nor booted. */
export function assignSlots(deployments: readonly Deployment[]): Slots {
  const staged = deployments.find((deployment) => deployment.isStaged);
  const booted = deployments.find((deployment) => deployment.isBooted);
  const rest = deployments.filter((it) => it !== staged && it !== booted);
  const rollback = booted && rest.find((it) => it.stateroot === booted.stateroot);
  return {
    staged,
    booted,
    rollback,
    others: rest.filter((it) => it !== rollback),
    isRollbackQueued:
      rollback !== undefined &&
      booted !== undefined &&
      deployments.indexOf(rollback) < deployments.indexOf(booted),
  };
}

export function assembleHost(sysroot: Sysroot): HostDocument {
  const slots = assignSlots(sysroot.deployments);
  const [staged, booted, rollback] = [slots.staged, slots.booted, slots.rollback].map((it) =>
    it === undefined ? null : toBootEntry(it),
  ) as [BootEntry | null, BootEntry | null, BootEntry | null];
  const others = [...slots.others.map(toBootEntry), ...sysroot.unreadable.map(toUnreadableEntry)];
  return {
    ...DEFAULT_HOST,
    metadata: {
      name: "host",
      ...(sysroot.entriesReadAt && { annotations: { [ENTRIES_READ_AT]: sysroot.entriesReadAt } }),
    },
    spec: {
      image: (staged?.image ?? booted?.image)?.image ?? null,
      bootOrder: slots.isRollbackQueued ? "rollback" : "default",
    },
    status: {
      staged,
      booted,
      rollback,
      ...(others.length > 0 && { otherDeployments: others }),
      rollbackQueued: slots.isRollbackQueued,
      type: booted?.image ? "bootcHost" : null,
      usrOverlay: toUsrOverlay(slots.booted?.unlocked ?? "none"),
      readOnly: sysroot.isReadOnly,
    },
  };
}

/** The same document, reduced to the booted deployment. */
export function onlyBooted(host: HostDocument): HostDocument {
  const { otherDeployments: _, ...status } = host.status;
  return {
    ...host,
    spec: { ...host.spec, bootOrder: "default" },
    status: { ...status, staged: null, rollback: null, rollbackQueued: false },
  };
}

function toBootEntry(deployment: Deployment): BootEntry {
  const reference = deployment.origin.isIncompatible ? undefined : deployment.origin.image;
  return {
    image: reference && deployment.content ? toImageStatus(reference, deployment.content) : null,
    cachedUpdate:
      reference && deployment.cachedUpdate
        ? toImageStatus(reference, deployment.cachedUpdate)
        : null,
    incompatible: deployment.origin.isIncompatible,
    pinned: deployment.isPinned,
    softRebootCapable: deployment.softRebootObstacle === undefined,
    downloadOnly: deployment.isStaged && deployment.isLocked,
    store: reference === undefined ? null : "ostreeContainer",
    ostree: {
      stateroot: deployment.stateroot,
      checksum: deployment.checksum,
      deploySerial: deployment.serial,
    },
    composefs: null,
    ...(deployment.isSuperseded && { superseded: true }),
    ...(deployment.problems.length > 0 && { problems: deployment.problems }),
  };
}

function toUnreadableEntry({ name, problem }: UnreadableEntry): BootEntry {
  return {
    image: null,
    cachedUpdate: null,
    incompatible: false,
    pinned: false,
    softRebootCapable: false,
    downloadOnly: false,
    store: null,
    ostree: null,
    composefs: null,
    problems: [`${name}: ${problem}`],
  };
}

function toUsrOverlay(unlocked: Unlocked): UsrOverlay | null {
  switch (unlocked) {
    case "none":
      return null;
    case "development":
      return { accessMode: "readWrite", persistence: "transient" };
    case "hotfix":
      return { accessMode: "readWrite", persistence: "persistent" };
    case "transient":
      return { accessMode: "readOnly", persistence: "transient" };
  }
}
