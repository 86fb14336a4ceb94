// An image's configuration: its architecture, labels and the digests of its uncompressed layers.
import { BootcError } from "../errors.ts";
import {
  type JsonObject,
  parseJsonObject,
  requireArray,
  requireObject,
  requireString,
  requireStrings,
} from "../format/json.ts";
import { printable } from "../printable.ts";
import { requireDigest } from "./digest.ts";
import type { ImageManifest, Platform } from "./manifest.ts";

/** The document's other fields are kept; they just have no type here. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  /** RFC 3339. */
  readonly created?: string | null;
  readonly config?: { readonly Labels?: Readonly<Record<string, string>> | null } | null;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history?: readonly ImageHistory[] | null;
}

export interface ImageHistory {
  readonly created?: string;
  readonly created_by?: string;
  readonly empty_layer?: boolean;
}

const WHAT = "the image configuration";

/** Parses an image configuration in OCI's or Docker's format. */
export function parseConfig(text: string): ImageConfig {
  const document = parseJsonObject(WHAT, text);
  requireString(document.architecture, WHAT, "architecture");
  requireString(document.os, WHAT, "os");
  if (isPresent(document.created)) requireString(document.created, WHAT, "created");
  const rootfs = requireObject(document.rootfs, WHAT, "rootfs");
  for (const it of requireArray(rootfs.diff_ids, WHAT, "rootfs.diff_ids")) requireDigest(it, WHAT);
  if (isPresent(document.config)) {
    requireStrings(requireObject(document.config, WHAT, "config").Labels, WHAT, "config.Labels");
  }
  if (isPresent(document.history)) requireHistory(document.history);
  return document as unknown as ImageConfig;
}

export function labelsOf(config: ImageConfig): Readonly<Record<string, string>> {
  return config.config?.Labels ?? {};
}

/** The version to show people: from the standard label, else from the older one. */
export function versionOf(config: ImageConfig): string | undefined {
  const labels = labelsOf(config);
  return labels["org.opencontainers.image.version"] ?? labels.version;
}

/** When the image was made, in whole seconds since 1970; undefined when the image does not say. */
export function createdEpochOf(manifest: ImageManifest, config: ImageConfig): number | undefined {
  const text = manifest.annotations?.["org.opencontainers.image.created"] ?? config.created;
  if (typeof text !== "string" || !/^\d{4}-\d\d-\d\dT/i.test(text)) return undefined;
  const epochMs = Date.parse(text);
  return Number.isNaN(epochMs) || epochMs < 0 ? undefined : Math.floor(epochMs / 1000);
}

/** The time in an image's configuration, without a fraction of a second. */
export function formatImageTime(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace(".000Z", "Z");
}

/** Refuses an image that this machine cannot boot: it lacks the bootable label, or is for other hardware. */
export function requireBootable(config: ImageConfig, host: Platform): void {
  const labels = labelsOf(config);
  if (labels["ostree.bootable"] === undefined && labels["containers.bootc"] === undefined) {
    throw new BootcError("Target image does not have ostree.bootable label", {
      kind: "unsupported",
      hint: "build it from a bootc base image",
    });
  }
  if (config.architecture === host.architecture) return;
  throw new BootcError(
    `Image has architecture ${config.architecture}; expected ${host.architecture}`,
    { kind: "unsupported" },
  );
}

/** The notice to print when the label `containers.bootc` is missing or unknown. */
export function describeBootcLabel(config: ImageConfig): string | undefined {
  const value = labelsOf(config)["containers.bootc"];
  if (value === "1") return undefined;
  if (value === undefined) return "notice: Image is missing label: containers.bootc";
  return `notice: Unknown containers.bootc value: ${printable(value)}`;
}

function requireHistory(value: unknown): void {
  for (const [i, it] of requireArray(value, WHAT, "history").entries()) {
    const entry: JsonObject = requireObject(it, WHAT, `history[${i}]`);
    if (isPresent(entry.created_by)) requireString(entry.created_by, WHAT, "history.created_by");
  }
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}
