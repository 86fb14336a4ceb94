// The index files of a release, `manifest.json` and `SHA256SUMS`, which are written last and read first.
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { readFileIfAny } from "../../src/system/files.ts";
import { sha256Of, sha256OfFile } from "../archive/digest.ts";
import { writeWhole } from "../archive/write-whole.ts";

/** The folder of `release --build`, relative to the checkout. */
export const RELEASE_FOLDER = "target/release";
export const MANIFEST = "manifest.json";
export const CHECKSUMS = "SHA256SUMS";

export interface ReleaseFile {
  /** Its name on GitHub. */
  readonly name: string;
  /** Says what it is. */
  readonly about: string;
  readonly sizeBytes: number;
  /** In hex. */
  readonly sha256: string;
}

export interface ReleaseManifest {
  readonly formatVersion: 1;
  /** As in package.json: `2.0.0-rc.1`. */
  readonly version: string;
  /** The version in the files, in RPM's notation: `2.0.0~rc.1`, or a snapshot if there was no tag. */
  readonly builtVersion: string;
  /** The commit from which everything was built. */
  readonly commit: string;
  readonly files: readonly ReleaseFile[];
}

/** Also published, but not listed in the manifest. */
const INDEX_FILES = [
  { name: CHECKSUMS, about: "SHA-256 of every file" },
  { name: MANIFEST, about: "what every file is, as JSON" },
];

/**
 * GitHub replaces other characters in the names of assets, such as `~` and `^` in RPM versions. We use such
 * names from the start, so that the checksums have the right names.
 */
export function assetName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._+-]+/g, ".");
}

export async function describeFile(
  folder: string,
  { name, about }: Pick<ReleaseFile, "name" | "about">,
): Promise<ReleaseFile> {
  const path = join(folder, name);
  const { size } = await stat(path);
  return { name, about, sizeBytes: size, sha256: await sha256OfFile(path) };
}

/** Writes both index files. The manifest comes last, because it means that the folder is complete. */
export async function writeManifest(folder: string, manifest: ReleaseManifest): Promise<void> {
  const sums = formatChecksums(manifest.files);
  await writeWhole(join(folder, CHECKSUMS), async (temp) => await writeFile(temp, sums));
  const json = `${JSON.stringify(manifest, undefined, 2)}\n`;
  await writeWhole(join(folder, MANIFEST), async (temp) => await writeFile(temp, json));
}

/** In the format of `sha256sum --check`. */
function formatChecksums(files: readonly ReleaseFile[]): string {
  return files.map((it) => `${it.sha256}  ${it.name}\n`).join("");
}

/** The files to publish. Fails if one is missing, or differs from the manifest. */
export async function readRelease(folder: string): Promise<{
  readonly manifest: ReleaseManifest;
  readonly files: readonly ReleaseFile[];
}> {
  const manifest = parseManifest(await readManifestText(folder));
  const names = await readdir(folder);
  const expected = [...manifest.files, ...INDEX_FILES];
  const missing = expected.filter((it) => !names.includes(it.name));
  if (missing.length > 0) throw notAsBuilt(missing, "missing since the build");
  const files = await Promise.all(expected.map((it) => describeFile(folder, it)));
  const sums = sha256Of(formatChecksums(manifest.files));
  const built = [...manifest.files, { name: CHECKSUMS, sha256: sums }];
  const changed = built.filter(
    (it) => files.find((file) => file.name === it.name)?.sha256 !== it.sha256,
  );
  if (changed.length > 0) throw notAsBuilt(changed, "changed since the build");
  return { manifest, files };
}

function notAsBuilt(files: readonly Pick<ReleaseFile, "name">[], what: string): BootcError {
  return new BootcError(`${what}: ${files.map((it) => `\`${it.name}\``).join(", ")}`, {
    kind: "integrity",
    hint: "build again: npm run xtask -- release --build",
  });
}

async function readManifestText(folder: string): Promise<string> {
  const text = await readFileIfAny(join(folder, MANIFEST));
  if (text !== undefined) return text;
  throw new BootcError("nothing has been built to publish", {
    hint: "build it: npm run xtask -- release --build",
  });
}

function parseManifest(text: string): ReleaseManifest {
  try {
    const manifest = JSON.parse(text) as Partial<ReleaseManifest>;
    if (manifest.formatVersion === 1 && Array.isArray(manifest.files)) {
      return manifest as ReleaseManifest;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new BootcError(`${MANIFEST} is not the manifest of a release`, {
    hint: "build again: npm run xtask -- release --build",
  });
}
