// The packages bundled with our own code, as rpm declares them.
import { packagesInside } from "../licenses/inside.ts";
import { PARTS_INSIDE, PARTS_UNLISTED } from "../licenses/runtime.ts";
import type { RuntimeManifest } from "../runtime/pack.ts";
import type { VendorManifest } from "../vendor/manifest.ts";

export interface Bundled {
  /** The name in `bundled(NAME)`. */
  readonly name: string;
  readonly version: string;
}

/** Parts of the runtime that are npm packages, which distributions name differently. */
const SCRIPTED = new Set(["acorn", "amaro", "undici"]);

/**
 * The runtime, those of its parts that have a version, and every package in the bundle.
 * `versions` is `process.versions` of the pinned runtime, which also runs xtask.
 */
export function listBundled(
  vendor: VendorManifest,
  runtime: Pick<RuntimeManifest, "version">,
  versions: Readonly<Record<string, string | undefined>>,
): readonly Bundled[] {
  const parts = [...PARTS_INSIDE, ...PARTS_UNLISTED].flatMap(({ name, key }) => {
    // Some parts are listed without a version.
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

/** rpm reserves `-`. Here it precedes a build of the same version, or a prerelease. */
function formatVersion(version: string): string {
  return /-(?:alpha|beta|rc|next|pre)/.test(version)
    ? version.replaceAll("-", "~")
    : version.replaceAll("-", "^");
}
