// The file contexts of a policy, copied for libselinux in a form that cannot harm us.
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withoutSerializedRegexes } from "./compiled.ts";

/** The names of all files that decide about labels; compiled forms first. */
export const CONTEXTS: readonly string[] = [
  ...["", ".homedirs", ".local"].flatMap((it) => [`${it}.bin`, it]),
  ".subs",
  ".subs_dist",
].map((it) => `file_contexts${it}`);

/** Fedora's whole policy has 2 MB. */
export const CONTEXTS_BYTES_MAX = 64 << 20;

export interface ContextsFile {
  readonly name: string;
  readonly content: Uint8Array;
  /** Of a file and its compiled form, libselinux takes the newer one, or else the compiled one. */
  readonly modifiedAt: Date;
}

/** Makes `folder` a policy that libselinux can open. */
export async function writeContexts(folder: string, files: readonly ContextsFile[]): Promise<void> {
  const place = join(folder, "contexts/files");
  await mkdir(place, { recursive: true });
  for (const { name, content, modifiedAt } of files) {
    const path = join(place, name);
    const safe = name.endsWith(".bin") ? withoutSerializedRegexes(content) : content;
    if (safe === undefined) continue;
    await writeFile(path, safe);
    await utimes(path, modifiedAt, modifiedAt);
  }
}
