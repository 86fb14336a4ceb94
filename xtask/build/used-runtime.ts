// Which Node the executable is made from: the pinned one, for this architecture or the other.
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
  /** The Node executable that will contain the program, without unmapped sections. */
  readonly stripped: Buffer;
  /** Path of a Node of the same version that runs on this machine. */
  readonly generator: string;
}

/** The runtime in `folder`, or the one the lockfile pins for `architecture`, which is fetched if needed. */
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
      // An offline build does not contain the code that reads packages.
      const { extractRuntime } = await import("../runtime/extract.ts");
      await writeFile(temp, (await extractRuntime(tree, locked)).original);
    },
  );
  return await readFile(path);
}

/** Refuses a runtime of another version: only the version that made a blob understands it. */
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
