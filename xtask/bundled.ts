// What the package has inside besides our own code, told in rpm's words.
import { packagesInside } from "./licenses/inside.ts";
import type { RuntimeManifest } from "./runtime/pack.ts";
import type { VendorManifest } from "./vendor/manifest.ts";

export interface Bundled {
  /** As in `bundled(NAME)`. */
  readonly name: string;
  readonly version: string;
}

/** By name, then version: the runtime and every package of the bundle. */
export function listBundled(
  vendor: VendorManifest,
  runtime: Pick<RuntimeManifest, "version">,
): readonly Bundled[] {
  const packages = packagesInside(vendor).map(({ name, version }) => ({
    name: `nodejs-${name}`,
    version: version.replaceAll("-", "~"),
  }));
  return [{ name: "nodejs", version: runtime.version }, ...packages];
}
