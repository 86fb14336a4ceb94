// What a stored manifest and config say about an image: digest, version, creation time, architecture.
import { BootcError } from "../errors.ts";
import type { OstreeReference } from "../image/reference.ts";
import { toSpecImage } from "../image/reference.ts";
import type { ImageStatus } from "./document.ts";
import type { LayerSize } from "./manifest-difference.ts";

/** An image's metadata, whichever reference it was pulled by. */
export interface ImageSummary {
  readonly digest: string;
  readonly version: string | null;
  /** RFC 3339, in UTC. */
  readonly timestamp: string | null;
  /** OCI's name of the architecture; empty when the image does not state it. */
  readonly architecture: string;
  readonly layers: readonly LayerSize[];
}

/** Reads stored manifest and config texts. A manifest that is not one is an error. */
export function parseImageSummary(texts: {
  readonly digest: string;
  readonly manifest: string;
  readonly config: string;
}): ImageSummary {
  const manifest = parseRecord("the stored manifest", texts.manifest);
  // Early importers stored `null` when an image had no config.
  const config = texts.config === "null" ? {} : parseRecord("the stored config", texts.config);
  const labels = recordOf(recordOf(config.config).Labels);
  return {
    digest: texts.digest,
    version: versionOf(labels),
    timestamp: timestampOf(labels, config),
    architecture: stringOf(config.architecture) ?? "",
    layers: parseLayers(manifest.layers),
  };
}

export function toImageStatus(reference: OstreeReference, content: ImageSummary): ImageStatus {
  return {
    image: toSpecImage(reference),
    version: content.version,
    timestamp: content.timestamp,
    imageDigest: content.digest,
    architecture: content.architecture,
  };
}

const RFC3339 =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,}))?([Zz]|[+-]\d{2}:\d{2})$/;

/** The time in UTC, with the precision of `text`; null when `text` is not a time. */
export function normalizeTimestamp(text: string): string | null {
  const [, day, time, fraction = "", zone = ""] = RFC3339.exec(text) ?? [];
  if (day === undefined) return null;
  const whole = new Date(`${day}T${time}${zone.toUpperCase()}`);
  if (Number.isNaN(whole.getTime())) return null;
  return `${whole.toISOString().slice(0, 19)}${formatFraction(fraction)}Z`;
}

/** The fraction in 0, 3, 6 or 9 digits, whichever is enough; digits beyond nanoseconds are dropped. */
function formatFraction(digits: string): string {
  const kept = digits.slice(0, 9).replace(/0+$/, "");
  if (kept === "") return "";
  return `.${kept.padEnd(Math.ceil(kept.length / 3) * 3, "0")}`;
}

function versionOf(labels: Record<string, unknown>): string | null {
  return stringOf(labels["org.opencontainers.image.version"]) ?? stringOf(labels.version) ?? null;
}

function timestampOf(
  labels: Record<string, unknown>,
  config: Record<string, unknown>,
): string | null {
  const text = stringOf(labels["org.opencontainers.image.created"]) ?? stringOf(config.created);
  return text === undefined ? null : normalizeTimestamp(text);
}

function parseLayers(layers: unknown): readonly LayerSize[] {
  if (!Array.isArray(layers)) throw new BootcError("the stored manifest does not list layers");
  return layers.map((layer) => {
    const { digest, size } = recordOf(layer);
    if (typeof digest === "string" && typeof size === "number") return { digest, sizeBytes: size };
    throw new BootcError("the stored manifest has a layer without digest and size");
  });
}

function parseRecord(what: string, text: string): Record<string, unknown> {
  const value = parseJson(what, text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new BootcError(`${what} is not a JSON object`);
}

function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BootcError(`${what} is not JSON`, { cause });
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function stringOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
