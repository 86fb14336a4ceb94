// What the package has inside besides our own code, told in rpm's words.
import { packagesInside } from "../licenses/inside.ts";
import { PARTS_INSIDE, PARTS_UNLISTED } from "../licenses/runtime.ts";
import type { RuntimeManifest } from "../runtime/pack.ts";
import type { VendorManifest } from "../vendor/manifest.ts";

export interface Bundled {
  /** As in `bundled(NAME)`. */
  readonly name: string;
  readonly version: string;
}

/** Parts of the runtime that are packages of npm, which a distribution has under another name. */
const SCRIPTED = new Set(["acorn", "amaro", "undici"]);

/**
 * The runtime, what it is made of as far as it has a version, and every package of the bundle.
 * `versions` is what the pinned runtime says of itself: `process.versions`, by which xtask runs.
 */
export function listBundled(
  vendor: VendorManifest,
  runtime: Pick<RuntimeManifest, "version">,
  versions: Readonly<Record<string, string | undefined>>,
): readonly Bundled[] {
  const parts = [...PARTS_INSIDE, ...PARTS_UNLISTED].flatMap(({ name, key }) => {
    // It tells some parts without their version.
    const version = key === undefined ? undefined : versions[key];
    return version ? [{ name: nameOfPart(name), version: formatVersion(version) }] : [];
  });
  const packages = packagesInside(vendor).map(({ name, version }) => ({
    name: `nodejs-${name}`,
    version: formatVersion(version),
  }));
  const inside = [...parts, ...packages].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [{ name: "nodejs", version: runtime.version }, ...inside];
}

function nameOfPart(name: string): string {
  const lower = name.toLowerCase();
  return SCRIPTED.has(lower) ? `nodejs-${lower}` : lower;
}

/** rpm keeps `-` for itself; what follows it here is a build of the same version or one before it. */
function formatVersion(version: string): string {
  return /-(?:alpha|beta|rc|next|pre)/.test(version)
    ? version.replaceAll("-", "~")
    : version.replaceAll("-", "^");
}
