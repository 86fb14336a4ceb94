// Files that appear whole or not at all. Without dependencies: a build without network writes with it.
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BootcError, kindOf } from "../../src/errors.ts";

/**
 * Has `write` make a temporary file next to `path`, then gives it its name: nobody ever sees half
 * of it. The folder is made when it is missing; the temporary file is gone after a failure.
 */
export async function writeWhole(
  path: string,
  write: (temp: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temp = join(dirname(path), `.${basename(path)}.${process.pid}-${sequence++}`);
  try {
    await write(temp);
    await syncFile(temp);
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    if (kindOf(error) !== "space") throw error;
    throw new BootcError(`cannot write \`${path}\``, {
      cause: error,
      hint: `make room in \`${dirname(path)}\`, then run it again`,
    });
  }
}

/** Two writers of one process must not share a temporary name. */
let sequence = 0;

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  await file.sync().finally(() => file.close());
}
