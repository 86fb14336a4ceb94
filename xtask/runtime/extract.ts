// Extracts from a runtime's package its licence and bin/node, without the sections that are never mapped.
import { list } from "tar";
import { BootcError, doing } from "../../src/errors.ts";
import { dropSections } from "../elf/drop-sections.ts";
import { architectureOf } from "../elf/read.ts";
import { fetchPackage } from "../npm/fetch.ts";
import type { Tree } from "../task.ts";
import type { LockedRuntime } from "./locked.ts";

/** The parts of a runtime's package that we use. */
export interface ExtractedRuntime {
  readonly runtime: LockedRuntime;
  readonly license: Buffer;
  readonly original: Buffer;
  readonly stripped: Buffer;
}

/** Fetches and verifies the runtime's package, or takes it from the cache, and strips its executable. */
export async function extractRuntime(
  tree: Tree,
  runtime: LockedRuntime,
): Promise<ExtractedRuntime> {
  const tarball = await fetchPackage(tree, runtime);
  return await doing(`taking \`bin/node\` out of \`${runtime.name}\``, async () => {
    const files = await readFromTarball(tarball, ["package/bin/node", "package/LICENSE"]);
    const [original, license] = files;
    if (original === undefined || license === undefined) throw new Error("unreachable: two files");
    const architecture = architectureOf(original);
    if (architecture !== runtime.architecture) {
      throw new BootcError(`it is for \`${architecture}\``, { kind: "integrity" });
    }
    return { runtime, license, original, stripped: dropSections(original) };
  });
}

/** The files at `paths` in a .tgz, in that order; all of them must exist. */
async function readFromTarball(
  tarball: string,
  paths: readonly string[],
): Promise<readonly Buffer[]> {
  const found = new Map<string, Promise<Buffer>>();
  await list({
    file: tarball,
    strict: true,
    filter: (path) => paths.includes(path),
    onReadEntry: (entry) => void found.set(entry.path, entry.concat()),
  });
  return await Promise.all(
    paths.map(async (path) => {
      const file = await found.get(path);
      if (file === undefined) throw new BootcError(`it does not contain \`${path}\``);
      return file;
    }),
  );
}
