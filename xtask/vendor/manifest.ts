// What a vendored set says about itself: one list that licences, bundled provides and the SBOM are made of.
import { BootcError } from "../../src/errors.ts";
import type { DependencyKind } from "./closure.ts";
import type { PlatformLimits } from "./platform.ts";

/** `manifest.json` of a vendored set. */
export interface VendorManifest {
  readonly formatVersion: 1;
  readonly name: string;
  readonly version: string;
  /** `linux-x64-glibc`; none means that packages of every platform were kept. */
  readonly platforms: readonly string[];
  readonly keepDepKinds: string;
  /** By name, then version. */
  readonly packages: readonly VendoredPackage[];
}

export interface VendoredPackage extends PlatformLimits {
  readonly name: string;
  readonly version: string;
  readonly kind: DependencyKind;
  /** Where it is installed, relative to the project. */
  readonly paths: readonly string[];
  /** The tarball, relative to the manifest. */
  readonly file: string;
  readonly sizeBytes: number;
  /** Of the tarball as vendored. */
  readonly integrity: string;
  /** Of the registry's tarball, when files were left out of it. */
  readonly originalIntegrity?: string;
  /** Files of the registry's tarball that were left out. */
  readonly filteredFiles: readonly string[];
  readonly filteredBytes: number;
  /** SPDX expression from the package's own package.json; empty when it has none. */
  readonly license: string;
  /** Licence texts, relative to the manifest. */
  readonly licenseFiles: readonly string[];
}

export function formatVendorManifest(manifest: VendorManifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** Fails on text that is no manifest of a version we know. */
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
