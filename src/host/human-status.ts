// The host document for people: one block of right-aligned rows per deployment.
import { printable } from "../printable.ts";
import type { BootEntry, HostDocument, ImageStatus, UsrOverlay } from "./document.ts";

type Slot = "staged" | "booted" | "rollback" | "other";
type Row = readonly [label: string, value: string];

const MARKS: Readonly<Record<Slot, string>> = {
  staged: "  Staged",
  booted: "● Booted",
  rollback: "  Rollback",
  other: " Other",
};

/** The whole text, without a final newline. */
export function formatHumanStatus(host: HostDocument, options: { isVerbose: boolean }): string {
  const { staged, booted, rollback, otherDeployments = [], usrOverlay } = host.status;
  const format = (slot: Slot, entry: BootEntry) =>
    formatEntry(slot, entry, { ...options, usrOverlay: slot === "booted" ? usrOverlay : null });
  return [
    // Deployments may still be listed; they are then the only clue to what went wrong.
    ...(booted ? [] : ["System is not deployed via bootc."]),
    ...(staged ? [format("staged", staged)] : []),
    ...(booted ? [format("booted", booted)] : []),
    ...(rollback ? [format("rollback", rollback)] : []),
    ...otherDeployments.map((it) => format("other", it)),
  ].join("\n\n");
}

interface EntryOptions {
  readonly isVerbose: boolean;
  readonly usrOverlay: UsrOverlay | null;
}

function formatEntry(slot: Slot, entry: BootEntry, options: EntryOptions): string {
  const heading = headingOf(slot, entry);
  const rows: readonly Row[] = [
    ...(entry.image ? imageRows(entry.image) : commitRows(entry)),
    ...(entry.pinned ? [["Pinned", entry.superseded ? SUPERSEDED : "yes"] as const] : []),
    ...updateRows(entry),
    ...(options.usrOverlay ? [["/usr overlay", describeOverlay(options.usrOverlay)] as const] : []),
    ...(options.isVerbose ? verboseRows(slot, entry) : []),
    ...(entry.problems ?? []).map((it): Row => ["Problem", it]),
  ];
  const title = entry.image ? `${heading}: ${printable(describeImage(entry.image))}` : heading;
  return [title, ...rows.map(([label, value]) => formatRow(heading, label, value))].join("\n");
}

const SUPERSEDED = "until the update has proved itself; then it is removed";

function headingOf(slot: Slot, entry: BootEntry): string {
  if (entry.image === null) return `${MARKS[slot]} ${entry.ostree ? "ostree" : "entry"}`;
  // The indent makes the rows of "Other image" line up with those of "Booted image".
  return slot === "other" ? "   Other image" : `${MARKS[slot]} image`;
}

/** Many values come out of images. */
function formatRow(heading: string, label: string, value: string): string {
  return `${label.padStart([...heading].length)}: ${printable(value)}`;
}

function describeImage({ image: { image, transport } }: ImageStatus): string {
  return transport === "registry" ? image : `${transport}:${image}`;
}

function imageRows(image: ImageStatus): readonly Row[] {
  const digest: Row = ["Digest", `${image.imageDigest} (${image.architecture})`];
  const version = describeVersion(image);
  if (version !== undefined) return [digest, ["Version", version]];
  return image.timestamp === null ? [digest] : [digest, ["Timestamp", toSeconds(image.timestamp)]];
}

function commitRows(entry: BootEntry): readonly Row[] {
  return entry.ostree === null ? [] : [["Commit", entry.ostree.checksum]];
}

function updateRows({ image, cachedUpdate }: BootEntry): readonly Row[] {
  if (cachedUpdate === null || cachedUpdate.imageDigest === image?.imageDigest) return [];
  const version = describeVersion(cachedUpdate);
  return [
    version === undefined ? ["Update", "Available"] : ["UpdateVersion", version],
    ["UpdateDigest", cachedUpdate.imageDigest],
  ];
}

function describeVersion({ version, timestamp }: ImageStatus): string | undefined {
  if (version === null) return undefined;
  return timestamp === null ? version : `${version} (${toSeconds(timestamp)})`;
}

function toSeconds(timestamp: string): string {
  return timestamp.replace(/\.\d+Z$/, "Z");
}

function describeOverlay({ accessMode, persistence }: UsrOverlay): string {
  return `${persistence}, ${accessMode === "readOnly" ? "read-only" : "read/write"}`;
}

function verboseRows(slot: Slot, entry: BootEntry): readonly Row[] {
  const signature = describeSignature(entry.image);
  return [
    ...ostreeRows(slot, entry),
    ...(signature === undefined ? [] : [["Signature", signature] as const]),
    ["Soft-reboot", yesNo(entry.softRebootCapable)],
    ...(slot === "staged" ? [["Download-only", yesNo(entry.downloadOnly)] as const] : []),
  ];
}

function ostreeRows(slot: Slot, { image, ostree }: BootEntry): readonly Row[] {
  if (ostree === null) return [];
  return [
    ["StateRoot", ostree.stateroot],
    ["Deploy serial", String(ostree.deploySerial)],
    ["Staged", yesNo(slot === "staged")],
    // Without an image, the commit is already at the top.
    ...(image === null ? [] : [["Commit", ostree.checksum] as const]),
  ];
}

function describeSignature(image: ImageStatus | null): string | undefined {
  const signature = image?.image.signature ?? undefined;
  if (signature === undefined) return undefined;
  if (signature === "insecure") return "insecure";
  if (signature === "containerPolicy") return "container-policy";
  return `ostree-remote:${signature.ostreeRemote}`;
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
