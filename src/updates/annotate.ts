// Writes the rollout of an image into its manifest, and the new manifests into the index that lists them.
import { createHash } from "node:crypto";
import { BootcError } from "../errors.ts";
import { isObject, type JsonObject, parseJsonObject } from "../format/json.ts";
import { parseManifest } from "../image/manifest.ts";
import { parseRollout, ROLLOUT_PREFIX } from "./rollout.ts";

/** The annotations by their short names; those that are undefined are left out. */
export interface RolloutWish {
  readonly start?: string;
  readonly duration?: string;
  readonly steps?: string;
  readonly paused?: boolean;
  readonly minimumVersion?: string;
}

type Annotations = Readonly<Record<string, string>>;

/** What the manifest gets; a usage error if hosts would not understand it. */
export function requireRolloutAnnotations(wish: RolloutWish): Annotations {
  const named = {
    start: wish.start,
    duration: wish.duration,
    steps: wish.steps,
    paused: wish.paused === true ? "true" : undefined,
    "minimum-version": wish.minimumVersion,
  };
  const given = Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [[`${ROLLOUT_PREFIX}${name}`, value] as const],
  );
  const annotations = Object.fromEntries(given);
  const parsed = parseRollout(annotations);
  if (parsed?.kind !== "mistaken") return annotations;
  throw new BootcError(`hosts would not understand this rollout: ${parsed.problem}`, {
    kind: "usage",
    hint: "times look like `2026-12-01T06:00:00Z`, durations like `48h`, and steps like `0m=1, 24h=100`",
  });
}

/** The manifest with these annotations in place of all that describe a rollout. */
export function annotateManifest(text: string, annotations: Annotations): string {
  if (parseManifest(text).kind !== "image") throw new Error("unreachable: an index is annotated");
  const document = parseJsonObject("the manifest", text);
  if (/docker/.test(String(document.mediaType))) {
    throw new BootcError("the image has a manifest in Docker's format, which has no annotations", {
      kind: "unsupported",
      hint: "push it in the OCI format, such as with `podman push --format oci`",
    });
  }
  const before = isObject(document.annotations) ? document.annotations : {};
  const others = Object.entries(before).filter(([name]) => !name.startsWith(ROLLOUT_PREFIX));
  const after = { ...Object.fromEntries(others), ...annotations };
  const isSame = JSON.stringify(sorted(before)) === JSON.stringify(sorted(after));
  // Another order of the same content would be another digest for nothing.
  return isSame ? text : JSON.stringify({ ...document, annotations: after });
}

function sorted(object: JsonObject): readonly (readonly [string, unknown])[] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The index with other manifests: by the old digest, the text of the new one. */
export function replaceInIndex(text: string, replaced: ReadonlyMap<string, string>): string {
  const document = parseJsonObject("the image index", text);
  const entries = document.manifests as readonly JsonObject[];
  const isSame = [...replaced].every(([digest, it]) => manifestDigestOf(it) === digest);
  if (isSame) return text;
  const manifests = entries.map((entry) => {
    const manifest = replaced.get(String(entry.digest));
    if (manifest === undefined) return entry;
    const size = Buffer.byteLength(manifest);
    return { ...entry, digest: manifestDigestOf(manifest), size };
  });
  return JSON.stringify({ ...document, manifests });
}

export function manifestDigestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
