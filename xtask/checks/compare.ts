// Compares two folders of artifacts that should be identical, and says where they differ.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { sha256OfFile } from "../archive/digest.ts";
import { type TarFile, unpackTar } from "../vendor/tar-read.ts";

export interface Comparison {
  /** By path below the folders, sorted. */
  readonly same: readonly { readonly path: string; readonly sha256: string }[];
  /** One line per difference: which file, and where in it. */
  readonly differences: readonly string[];
}

/** Compares, by path, all files below the two folders that `isArtifact` accepts. */
export async function compareFolders(
  one: string,
  two: string,
  isArtifact: (path: string) => boolean,
): Promise<Comparison> {
  const [left, right] = await Promise.all([one, two].map((it) => listFiles(it, isArtifact)));
  const paths = [...new Set([...(left ?? []), ...(right ?? [])])].sort();
  const same: { path: string; sha256: string }[] = [];
  const differences: string[] = [];
  for (const path of paths) {
    if (!left?.includes(path)) differences.push(`${path}: made the second time only`);
    else if (!right?.includes(path)) differences.push(`${path}: made the first time only`);
    else {
      const [first, second] = [join(one, path), join(two, path)];
      const [was, is] = [await sha256OfFile(first), await sha256OfFile(second)];
      if (was === is) same.push({ path, sha256: was });
      else
        differences.push(
          describeFileDifference(path, await readFile(first), await readFile(second)),
        );
    }
  }
  return { same, differences };
}

async function listFiles(
  folder: string,
  isArtifact: (path: string) => boolean,
): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((it) => it.isFile())
    .map((it) => join(it.parentPath, it.name).slice(folder.length + 1))
    .filter(isArtifact);
}

/** Where two files differ; for archives, the first member that differs. */
export function describeFileDifference(path: string, one: Buffer, two: Buffer): string {
  const offset = firstDifference(one, two);
  const whole = `${path}: differs at byte ${offset} (${one.length} and ${two.length} bytes)`;
  const inside = differenceInside(path, one, two);
  return inside === undefined ? whole : `${whole}; ${inside}`;
}

function differenceInside(path: string, one: Buffer, two: Buffer): string | undefined {
  const unpack = unpackerOf(path);
  if (unpack === undefined) return undefined;
  const [left, right] = [unpack(one), unpack(two)];
  const members = [...left.keys(), ...right.keys()];
  const differing = members.find((it) => !isSame(left.get(it), right.get(it)));
  if (differing === undefined) return "its files are identical; order, modes or times differ";
  const [was, is] = [left.get(differing), right.get(differing)];
  if (was === undefined || is === undefined) return `\`${differing}\` is in one of them only`;
  const offset = firstDifference(was.bytes, is.bytes);
  return `in it \`${differing}\` differs at byte ${offset}`;
}

function unpackerOf(path: string): ((bytes: Buffer) => ReadonlyMap<string, TarFile>) | undefined {
  const decompress = path.endsWith(".tar.zst")
    ? zstdDecompressSync
    : path.endsWith(".tar.gz")
      ? gunzipSync
      : undefined;
  if (decompress === undefined) return undefined;
  return (bytes) => new Map(unpackTar(decompress(bytes)).map((it) => [it.path, it] as const));
}

function isSame(one: TarFile | undefined, two: TarFile | undefined): boolean {
  if (one === undefined || two === undefined) return false;
  return one.bytes.equals(two.bytes) && one.isExecutable === two.isExecutable;
}

/** Offset of the first byte that differs, or the shorter length when one file begins with the other. */
function firstDifference(one: Buffer, two: Buffer): number {
  const length = Math.min(one.length, two.length);
  // Compare blocks first: comparing an archive byte by byte takes minutes.
  const step = 1 << 16;
  let at = 0;
  while (at + step <= length && one.compare(two, at, at + step, at, at + step) === 0) at += step;
  while (at < length && one[at] === two[at]) at++;
  return at;
}
