// The file contexts of a policy, copied for libselinux in a form that cannot harm us.
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDirectoriesSync } from "../../system/files.ts";
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

/** The files that libselinux may be given: no compiled form that could harm us. */
export function usableContexts<File extends Pick<ContextsFile, "name" | "content">>(
  files: readonly File[],
): readonly File[] {
  return files.flatMap((file) => {
    if (!file.name.endsWith(".bin")) return [file];
    const content = withoutSerializedRegexes(file.content);
    return content === undefined ? [] : [{ ...file, content }];
  });
}

/** Makes `folder` a policy that libselinux can open. */
export function writeContexts(folder: string, files: readonly ContextsFile[]): void {
  const place = join(folder, "contexts/files");
  makeDirectoriesSync(place, 0o700);
  for (const { name, content, modifiedAt } of files) {
    const path = join(place, name);
    writeFileSync(path, content);
    utimesSync(path, modifiedAt, modifiedAt);
  }
}
