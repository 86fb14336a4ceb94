// Writes files that appear complete or not at all. Has no dependencies, because offline builds use it.
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BootcError, kindOf } from "../../src/errors.ts";

/**
 * Lets `write` make a temporary file next to `path`, then renames it to `path`, so that nobody ever sees half
 * a file. Makes the folder if it is missing, and removes the temporary file after a failure.
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

/** Keeps two writers in one process from using the same temporary name. */
let sequence = 0;

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  await file.sync().finally(() => file.close());
}
