// Reads what a package contributes: its tarball, filtered if necessary, its licence and the texts.
import { createHash } from "node:crypto";
import { matchesGlob } from "node:path";
import { gzipSync } from "node:zlib";
import { BootcError } from "../../src/errors.ts";
import { formatTar } from "../archive/archive.ts";
import type { PathExclusion } from "./config.ts";
import { readTarball, type TarFile } from "./tar-read.ts";

export interface PackageContents {
  /** The smaller tarball, if files were left out. */
  readonly repacked?: { readonly bytes: Buffer; readonly integrity: string };
  readonly filteredFiles: readonly string[];
  readonly filteredBytes: number;
  readonly license: string;
  /** Licence texts by file name. */
  readonly licenseTexts: readonly { readonly name: string; readonly bytes: Buffer }[];
  /** Exclusions that matched something. */
  readonly used: readonly PathExclusion[];
}

/** Files with licence texts at the top of a package, with any suffix except those of code. */
const LICENSE_FILE = /^((un)?licen[cs]es?|copying|copyright|notice)([-._][^/]*)?$/i;
const CODE_FILE = /\.([cm]?[jt]s|json|map)$/i;

/** Reads a package's tarball, leaves out files that an exclusion names, and lists them. */
export function readContents(
  name: string,
  tarball: Uint8Array,
  exclusions: readonly PathExclusion[],
  mtimeEpoch: number,
): PackageContents {
  const files = readTarball(tarball).map((it) => ({ ...it, inside: withoutTop(it.path) }));
  const mine = exclusions.filter((it) => it.name === "*" || it.name === name);
  const matches = (it: PathExclusion) => files.some((file) => isExcluded(file.inside, it.exclude));
  const used = mine.filter(matches);
  const filtered = files.filter((file) => used.some((it) => isExcluded(file.inside, it.exclude)));
  const kept = files.filter((it) => !filtered.includes(it));
  if (!kept.some((it) => it.inside === "package.json") && filtered.length > 0) {
    throw new BootcError(`\`package.json\` of \`${name}\` cannot be left out`, {
      kind: "usage",
      hint: "npm needs it; make the pattern of excludePackagePaths narrower",
    });
  }
  return {
    ...(filtered.length === 0 ? {} : { repacked: repack(kept, mtimeEpoch) }),
    filteredFiles: filtered.map((it) => it.inside).sort(),
    filteredBytes: filtered.reduce((sum, it) => sum + it.bytes.length, 0),
    license: licenseOf(files.find((it) => it.inside === "package.json")?.bytes),
    licenseTexts: files
      .filter((it) => LICENSE_FILE.test(it.inside) && !CODE_FILE.test(it.inside))
      .map((it) => ({ name: it.inside, bytes: it.bytes }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    used,
  };
}

/** Everything in a package is in one folder, usually `package`. */
function withoutTop(path: string): string {
  return path.slice(path.indexOf("/") + 1);
}

/** A pattern matches files, or folders with everything in them. */
function isExcluded(path: string, pattern: string): boolean {
  const parts = path.split("/");
  const bare = pattern.replace(/\/+$/, "");
  return parts.some((_, i) => matchesGlob(parts.slice(0, i + 1).join("/"), bare));
}

function repack(
  files: readonly TarFile[],
  mtimeEpoch: number,
): { bytes: Buffer; integrity: string } {
  const entries = files.map(({ path, bytes, isExecutable }) => ({
    path,
    content: { kind: "bytes", bytes } as const,
    isExecutable,
  }));
  const bytes = gzipSync(formatTar(entries, mtimeEpoch), { level: 9 });
  return { bytes, integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}` };
}

/** The SPDX expression in `license`; older spellings are an object and a list of objects. */
function licenseOf(packageJson: Buffer | undefined): string {
  if (packageJson === undefined) return "";
  let manifest: { readonly license?: unknown; readonly licenses?: unknown };
  try {
    manifest = JSON.parse(packageJson.toString("utf8").replace(/^\uFEFF/, ""));
  } catch {
    // This is not the place to fail: `xtask licenses` names every package without a licence.
    return "";
  }
  const typeOf = (it: unknown): string =>
    typeof it === "string" ? it : String((it as { type?: unknown } | null)?.type ?? "");
  if (manifest.license !== undefined) return typeOf(manifest.license);
  const several = Array.isArray(manifest.licenses) ? manifest.licenses.map(typeOf) : [];
  return several.length > 1 ? `(${several.join(" OR ")})` : (several[0] ?? "");
}
