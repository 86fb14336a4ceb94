// The manifest of a vendored set, from which licences, bundled provides and the SBOM are made.
import { BootcError } from "../../src/errors.ts";
import type { DependencyKind } from "./closure.ts";
import type { PlatformLimits } from "./platform.ts";

/** `manifest.json` of a vendored set. */
export interface VendorManifest {
  readonly formatVersion: 1;
  readonly name: string;
  readonly version: string;
  /** Such as `linux-x64-glibc`; empty means that packages for every platform were kept. */
  readonly platforms: readonly string[];
  readonly keepDepKinds: string;
  /** Sorted by name, then by version. */
  readonly packages: readonly VendoredPackage[];
}

export interface VendoredPackage extends PlatformLimits {
  readonly name: string;
  readonly version: string;
  readonly kind: DependencyKind;
  /** The places where it is installed, relative to the project. */
  readonly paths: readonly string[];
  /** The tarball, relative to the manifest. */
  readonly file: string;
  readonly sizeBytes: number;
  /** The integrity of the vendored tarball. */
  readonly integrity: string;
  /** The integrity of the registry's tarball, if files were left out of it. */
  readonly originalIntegrity?: string;
  /** Files of the registry's tarball that were left out. */
  readonly filteredFiles: readonly string[];
  readonly filteredBytes: number;
  /** The SPDX expression from the package's own package.json; empty if there is none. */
  readonly license: string;
  /** Licence texts, relative to the manifest. */
  readonly licenseFiles: readonly string[];
}

export function formatVendorManifest(manifest: VendorManifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** Fails unless the text is a manifest of a known version. */
export function parseVendorManifest(text: string): VendorManifest {
  let manifest: Partial<VendorManifest>;
  try {
    manifest = JSON.parse(text) as Partial<VendorManifest>;
  } catch (cause) {
    throw new BootcError("manifest.json is not valid JSON", {
      cause: new BootcError(String(cause)),
    });
  }
  if (manifest.formatVersion === 1 && Array.isArray(manifest.packages))
    return manifest as VendorManifest;
  throw new BootcError("manifest.json is not the manifest of a vendored set of format 1");
}
