// What the package has inside besides our own code, told in rpm's words: provides and licences.
import { BootcError } from "../src/errors.ts";
import type { RuntimeManifest } from "./runtime/pack.ts";
import type { VendorManifest } from "./vendor/manifest.ts";

export interface Bundled {
  /** As in `bundled(NAME)`. */
  readonly name: string;
  readonly version: string;
}

/**
 * Licences of what the runtime is made of, in SPDX's names: Node itself and the libraries compiled
 * into it, after the LICENSE file of its release. npm, which that file lists too, is not packaged.
 */
const RUNTIME_LICENSES = [
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "Unicode-3.0",
  "Zlib",
];

/** Packages that are in the executable; build tools leave nothing of themselves there. */
function packagesInside({ packages }: VendorManifest) {
  return packages.filter((it) => it.kind === "normal" && !it.name.startsWith("node-linux-"));
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

/** One SPDX expression for everything inside. Fails on a package that states no licence. */
export function formatLicense(own: string, vendor: VendorManifest): string {
  const stated = packagesInside(vendor).map(({ name, license }) => {
    if (license !== "") return license;
    throw new BootcError(`\`${name}\` does not say under which licence it is`);
  });
  const terms = new Set([...stated, ...RUNTIME_LICENSES].flatMap(splitTerms));
  return [`(${own})`, ...[...terms].toSorted()].join(" AND ");
}

/** The parts of a conjunction; one that gives a choice stays together, in parentheses. */
function splitTerms(expression: string): readonly string[] {
  const bare = expression.replace(/^\((.*)\)$/, "$1");
  if (/\bOR\b/.test(bare)) return [`(${bare})`];
  return bare.split(/\s+AND\s+/);
}
