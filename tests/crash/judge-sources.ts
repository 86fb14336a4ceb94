// The code that makes and judges states, by digest: what it found does not hold for another version of it.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Plays the boots and shutdowns in which a state is tried. */
const HOST = join(import.meta.dirname, "../repo/simulated-boot.ts");

/** Of all sources in a folder, without their tests, and of `others`. */
export async function digestOfJudge(
  dir = import.meta.dirname,
  others: readonly string[] = [HOST],
): Promise<string> {
  const isSource = (it: string) => it.endsWith(".ts") && !it.endsWith(".test.ts");
  const names = (await readdir(dir)).filter(isSource).sort();
  const digest = createHash("sha256");
  for (const path of [...names.map((it) => join(dir, it)), ...others]) {
    const text = await readFile(path);
    digest.update(`${path.slice(path.lastIndexOf("/"))} ${text.length}\n`).update(text);
  }
  return digest.digest("hex").slice(0, 16);
}
