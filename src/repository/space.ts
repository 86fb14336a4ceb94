// Whether an image's missing layers fit on the repository's file system.
import { readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { formatDecimalSize } from "../format/size.ts";
import { keyfileValue, parseKeyfile } from "../ostree/keyfile.ts";

/** What ostree keeps free when a repository's configuration says nothing. */
const MIN_FREE_PERCENT = 3;

/** Refuses an image whose missing layers, even compressed, need more space than the repository's disk has. */
export async function requireSpace(
  repo: string,
  { image, requiredBytes }: { readonly image: string; readonly requiredBytes: number },
): Promise<void> {
  const files = await statfs(repo);
  const reserved = await readReserve(repo);
  const availableBytes = Math.max(0, files.bavail * files.bsize - reserved);
  if (requiredBytes <= availableBytes) return;
  const [available, required] = [availableBytes, requiredBytes].map(formatDecimalSize);
  throw new BootcError(
    `Insufficient free space for ${image} (available: ${available} required: ${required})`,
    {
      kind: "space",
      hint: "free some, for instance with `bootc internals cleanup`",
    },
  );
}

/** Bytes that ostree keeps free on the file system of `repo`. */
export async function readReserve(repo: string): Promise<number> {
  const files = await statfs(repo);
  const config = await readFile(join(repo, "config"), "utf8");
  return decideReserve(config, { sizeBytes: files.blocks * files.bsize });
}

/** Bytes that ostree never uses, by the repository's `config`: `core.min-free-space-size` or `-percent`. */
export function decideReserve(config: string, files: { readonly sizeBytes: number }): number {
  const keyfile = parseKeyfile(config);
  const size = keyfileValue(keyfile, "core", "min-free-space-size");
  const [, number, unit] = /^(\d+)([MGT])B$/.exec(size ?? "") ?? [];
  if (number !== undefined && unit !== undefined) {
    return Number(number) * { M: 1 << 20, G: 1 << 30, T: 2 ** 40 }[unit as "M" | "G" | "T"];
  }
  const percent = keyfileValue(keyfile, "core", "min-free-space-percent");
  const value = /^\d+$/.test(percent ?? "") ? Number(percent) : MIN_FREE_PERCENT;
  return (files.sizeBytes / 100) * value;
}
