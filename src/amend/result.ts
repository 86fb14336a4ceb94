// What a search for mixed-up files found, as a document. The keys are those of bootc 1.x.
import type { InodeCheck } from "./inodes.ts";

export interface RepairResult {
  readonly inodes: InodeCheck;
  /** The names of the images that are not what their layers say. */
  readonly images: readonly string[];
  readonly isBootedWrong: boolean;
  readonly isStagedWrong: boolean;
}

/** Inode numbers do not fit into the numbers of JavaScript, but into those of JSON. */
export function formatInodeCheck({ inode64, inode32, collisions }: InodeCheck): string {
  return `{"inode64":${inode64},"inode32":${inode32},"collisions":[${collisions.join(",")}]}`;
}

export function formatRepairResult(result: RepairResult): string {
  const others = {
    "likely-corrupted-container-image-merges": result.images,
    "booted-is-likely-corrupted": result.isBootedWrong,
    "staged-is-likely-corrupted": result.isStagedWrong,
  };
  return `{"inodes":${formatInodeCheck(result.inodes)},${JSON.stringify(others).slice(1)}`;
}

/** A line for each object whose inode number is not safe. */
export function describeCollisions({ objects }: InodeCheck): readonly string[] {
  return objects.map(({ checksum, inode }) => `collision: inode ${inode}, object ${checksum}`);
}

export function describeInodes({ inode64, inode32, collisions }: InodeCheck): readonly string[] {
  return [
    "ostree inode check:",
    `  64 bit inodes: ${inode64}`,
    `  32 bit inodes: ${inode32}`,
    `  collisions: ${collisions.length}`,
  ];
}
