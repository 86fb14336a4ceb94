// Which Node the executable is made of: the pinned one, for this architecture or the other.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";
import { readBytesIfAny } from "../../src/system/files.ts";
import { makeOnce } from "../archive/make-once.ts";
import { dropSections } from "../elf/drop-sections.ts";
import { architectureOf } from "../elf/read.ts";
import { type Architecture, packageOf, readLockedRuntimes } from "../runtime/locked.ts";
import type { Tree } from "../task.ts";

export interface UsedRuntime {
  /** The executable to put the program into, without unmapped sections. */
  readonly stripped: Buffer;
  /** Path of a Node of the same version that runs on this machine. */
  readonly generator: string;
}

/** The runtime in `folder`, or the lockfile's one for `architecture`, which may have to be fetched. */
export async function readRuntime(
  tree: Tree,
  architecture: Architecture,
  folder: string | undefined,
): Promise<UsedRuntime> {
  const path = join(folder ?? join(tree.top, "node_modules", packageOf(architecture)), "bin/node");
  const bytes = await readBytesIfAny(path);
  if (bytes === undefined && folder !== undefined) {
    throw new BootcError(`there is no runtime \`${path}\``, {
      hint: "name a folder that holds `bin/node`",
    });
  }
  const original = bytes ?? (await readLocked(tree, architecture));
  const stripped = await doing(`reading \`${path}\``, async () =>
    dropSections(requireUsable(original, architecture)),
  );
  const runsHere = architecture === process.arch && bytes !== undefined;
  return { stripped, generator: runsHere ? path : process.execPath };
}

/** The other architecture's runtime: npm installs only this machine's. */
async function readLocked(tree: Tree, architecture: Architecture): Promise<Buffer> {
  const locked = (await readLockedRuntimes(tree.top)).find(
    (it) => it.architecture === architecture,
  );
  if (locked === undefined) throw new Error(`unreachable: ${architecture} is locked`);
  const path = await makeOnce(
    tree,
    { name: packageOf(architecture), suffix: "", inputs: [locked.integrity] },
    async (temp) => {
      // The reader of packages is no part of what an offline build has.
      const { extractRuntime } = await import("../runtime/extract.ts");
      await writeFile(temp, (await extractRuntime(tree, locked)).original);
    },
  );
  return await readFile(path);
}

/** A blob is only understood by the version that made it, so a runtime of another one is refused. */
function requireUsable(bytes: Buffer, architecture: Architecture): Buffer {
  const found = architectureOf(bytes);
  if (found !== architecture) {
    throw new BootcError(`it is for \`${found}\`, not for \`${architecture}\``, { kind: "usage" });
  }
  if (bytes.includes(`node.js/${process.version}\0`)) return bytes;
  throw new BootcError(`it is not Node ${process.version}, which runs this build`, {
    hint: "build with the Node that is to be in the executable",
  });
}
