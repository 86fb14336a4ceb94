// Makes slow things only once, and keeps them outside the checkout under names derived from their inputs.
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Where tests keep things that are slow to make; everything in it can be deleted at any time. */
export function cacheDir(): string {
  return join(process.env.BOOTC_TEST_CACHE ?? "/var/cache/bootc-tests", "vm");
}

/**
 * The directory `<kind>-<hash of recipe>`, made by `make` if it does not exist. `make` fills a directory with
 * another name, so that a half-made one never passes for a complete one.
 */
export async function cached(
  kind: string,
  recipe: readonly (string | Uint8Array)[],
  make: (dir: string) => Promise<void>,
): Promise<string> {
  const final = join(cacheDir(), `${kind}-${hashOf(recipe)}`);
  if (await exists(final)) return final;
  await mkdir(cacheDir(), { recursive: true });
  return await alone(kind, async () => {
    if (await exists(final)) return final;
    const temporary = await mkdtemp(`${final}.`);
    try {
      await make(temporary);
      await rename(temporary, final);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    return final;
  });
}

export function hashOf(recipe: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of recipe) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** Of two simultaneous runs, the second waits until the first one's process has ended. */
async function alone<T>(kind: string, work: () => Promise<T>): Promise<T> {
  const lock = join(cacheDir(), `${kind}.lock`);
  for (;;) {
    const file = await open(lock, "wx").catch((error: { code?: string }) => {
      if (error.code === "EEXIST") return undefined;
      throw error;
    });
    if (file !== undefined) {
      await file.writeFile(String(process.pid));
      await file.close();
      return await work().finally(() => rm(lock, { force: true }));
    }
    await waitForOwner(lock);
  }
}

async function waitForOwner(lock: string): Promise<void> {
  const { readFile } = await import("node:fs/promises");
  const owner = Number(await readFile(lock, "utf8").catch(() => ""));
  const isAlive = owner > 0 && (await exists(`/proc/${owner}`));
  if (!isAlive && owner > 0) await rm(lock, { force: true });
  else await new Promise((resolve) => setTimeout(resolve, 1000));
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
