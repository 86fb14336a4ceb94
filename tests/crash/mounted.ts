// What is found on a mounted disk: what its entries boot, and how a machine fares that boots the default.
import type { MountedFacts } from "./judge.ts";
import { readEntries, readTargets } from "./system-facts.ts";

/** What a machine finds that boots the default. */
export type Tried = Omit<MountedFacts, "targets" | "entries" | "next">;

const UNTRIED: Omit<MountedFacts, "entries"> = {
  ...{ targets: {}, marks: "", fsck: "", booted: "", upgrade: "", next: [], fsckNext: "" },
};

export const findNothing = (entries: MountedFacts["entries"]): MountedFacts => ({
  ...UNTRIED,
  entries,
});

export async function readMounted(
  sysroot: string,
  tryHost: (sysroot: string) => Tried,
): Promise<MountedFacts> {
  const entries = await readEntries(sysroot).catch((error: Error) => error.message);
  if (typeof entries === "string" || entries.length === 0) return findNothing(entries);
  try {
    const targets = await readTargets(sysroot);
    const tried = tryHost(sysroot);
    const next = await readEntries(sysroot).catch((error: Error) => error.message);
    return { targets, entries, ...tried, next };
  } catch (error) {
    // A link without its deployment, or a damaged file system: the disk has failed, and not the judge.
    const said = `it cannot be tried: ${error instanceof Error ? error.message : String(error)}`;
    return { ...findNothing(entries), booted: said, upgrade: said };
  }
}
