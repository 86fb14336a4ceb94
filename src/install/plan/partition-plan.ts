// Plans the partitions of a new system disk, as input for sfdisk.
import { BootcError } from "../../errors.ts";

/** Partition types by architecture, from the Discoverable Partitions Specification. */
const ROOT_TYPES: Readonly<Record<string, string>> = {
  x64: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
  arm64: "b921b045-1df0-41c3-af44-4c6f280d3fae",
  s390x: "5eead9a9-fe09-4a1e-a1d7-520d00531306",
  ppc64: "c31c45e6-3f39-412e-80fb-4809c4980599",
};

const BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649";
const PREP = "9E1A2D38-C612-4316-AA26-8B49521E5A8B";
const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
/** A boot partition from which systemd-boot reads entries and kernels. */
export const XBOOTLDR = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
const LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

/** The same in a DOS partition table. */
const DOS_ESP = "ef";

/** Whether a partition type, as sfdisk writes it, is that of an ESP. */
export function isEspType(type: string): boolean {
  return [ESP, DOS_ESP].includes(type.toLowerCase());
}

export interface Partition {
  readonly role: "bios" | "prep" | "esp" | "boot" | "root";
  /** Undefined means all remaining space. */
  readonly sizeMiB: number | undefined;
  readonly type: string;
  readonly name: string;
  readonly isBootable: boolean;
}

export interface PartitionRequest {
  /** In Node's spelling. */
  readonly arch: string;
  readonly rootSizeMiB: number | undefined;
  /** Whether to make a separate boot file system, and of which kind. */
  readonly boot: "none" | "any" | "xbootldr";
}

export function planPartitions({
  arch,
  rootSizeMiB,
  boot: wanted,
}: PartitionRequest): readonly Partition[] {
  const rootType = ROOT_TYPES[arch];
  if (rootType === undefined) {
    throw new BootcError(`\`${arch}\`: bootc cannot partition disks for this architecture`, {
      kind: "unsupported",
      hint: "partition the disk and use `bootc install to-filesystem`",
    });
  }
  requireRootSize(rootSizeMiB);
  const bios = { sizeMiB: 1, type: BIOS_BOOT, name: "BIOS-BOOT", isBootable: true };
  const prep = { sizeMiB: 4, type: PREP, name: "PowerPC-PReP-boot", isBootable: true };
  const esp = { sizeMiB: 512, type: ESP, name: "EFI-SYSTEM", isBootable: false };
  const bootType = wanted === "xbootldr" ? XBOOTLDR : LINUX;
  const boot = { sizeMiB: 510, type: bootType, name: "boot", isBootable: false };
  const root = { sizeMiB: rootSizeMiB, type: rootType, name: "root", isBootable: false };
  return [
    ...(arch === "x64" ? [{ role: "bios", ...bios } as const] : []),
    ...(arch === "ppc64" ? [{ role: "prep", ...prep } as const] : []),
    ...(arch === "x64" || arch === "arm64" ? [{ role: "esp", ...esp } as const] : []),
    ...(wanted !== "none" ? [{ role: "boot", ...boot } as const] : []),
    { role: "root", ...root },
  ];
}

/** mkfs.xfs refuses smaller file systems, and no system would fit into one. */
const LEAST_ROOT_MIB = 300;

function requireRootSize(sizeMiB: number | undefined): void {
  if (sizeMiB === undefined || sizeMiB >= LEAST_ROOT_MIB) return;
  throw new BootcError(`a root of ${sizeMiB} MiB is too small`, {
    kind: "usage",
    hint: `give \`--root-size\` at least ${LEAST_ROOT_MIB}M`,
  });
}

/** sfdisk starts the first partition at 1 MiB, and the last MiB contains the copy of the GPT. */
const TABLE_MIB = 2;

/** Refuses a plan that does not fit on a disk of this size. */
export function requireRoom(partitions: readonly Partition[], diskBytes: number): void {
  const sizes = partitions.map((it) => it.sizeMiB ?? LEAST_ROOT_MIB);
  const wantedMiB = sizes.reduce((sum, it) => sum + it, TABLE_MIB);
  const diskMiB = Math.floor(diskBytes / (1 << 20));
  if (wantedMiB <= diskMiB) return;
  const parts = partitions.map((it, index) => `${it.name} ${sizes[index]}`).join(", ");
  throw new BootcError(
    `the disk has ${diskMiB} MiB, but at least ${wantedMiB} MiB are needed (in MiB: ${parts})`,
    { kind: "space", hint: "use a larger disk, or a smaller `--root-size`" },
  );
}

/** A warning about a disk that somebody else partitioned, if one is due. */
export function describeTableWarning(type: string | undefined): string | undefined {
  if (type === undefined || type === "gpt") return undefined;
  if (type === "dos") return "Installing to `dos` format partitions is not recommended";
  return `Unknown partition table format: ${type}`;
}

/** The script for `sfdisk`: a new GPT with these partitions in order. */
export function formatPartitionScript(partitions: readonly Partition[]): string {
  const lines = partitions.map((it) => {
    const fields = [
      ...(it.sizeMiB === undefined ? [] : [`size=${it.sizeMiB}MiB`]),
      ...(it.isBootable ? ["bootable"] : []),
      `type=${it.type}`,
      `name="${it.name}"`,
    ];
    return fields.join(", ");
  });
  return `label: gpt\n${lines.map((it) => `${it}\n`).join("")}`;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  M: 1,
  MiB: 1,
  G: 1024,
  GiB: 1024,
  T: 1024 * 1024,
  TiB: 1024 * 1024,
};

/** Parses a size like `20G`; a plain number means MiB. */
export function parseSizeMiB(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const factor = UNITS[unit];
  const size = Number(digits) * (factor ?? Number.NaN);
  if (digits !== "" && Number.isSafeInteger(size) && size > 0) return size;
  throw new BootcError(`\`${text}\` is not a size: expected a whole number with M, G or T`, {
    kind: "usage",
  });
}

/** The node of a partition: `/dev/sda3` for `/dev/sda` and 3, `/dev/loop0p3` for `/dev/loop0`. */
export function partitionNode(disk: string, number: number): string {
  return /\d$/.test(disk) ? `${disk}p${number}` : `${disk}${number}`;
}
