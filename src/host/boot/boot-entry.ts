// Boot loader entries (Boot Loader Specification, type 1) as ostree writes them.
import { parseKargs } from "../kargs.ts";

export interface BootLoaderEntry {
  /** File name. */
  readonly name: string;
  readonly version: string;
  /** Kernel command line. */
  readonly options: string;
}

/** Which deployment an entry boots, according to its `ostree=` argument. */
export interface BootTarget {
  readonly bootVersion: string;
  readonly stateroot: string;
  readonly bootChecksum: string;
  readonly index: string;
}

/** Whether ostree wrote the entry; a boot count at the end of the name does not matter here. */
export function isOstreeEntryName(name: string): boolean {
  return /^ostree-.*\.conf$/s.test(name);
}

export function parseBootEntry(name: string, text: string): BootLoaderEntry {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, key, value] = /^\s*([^#\s]\S*)\s+(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) fields.set(key, value);
  }
  return { name, version: fields.get("version") ?? "", options: fields.get("options") ?? "" };
}

/** Sorts entries as ostree counts deployments: the highest version is the default and comes first. */
export function sortBootEntries(entries: readonly BootLoaderEntry[]): readonly BootLoaderEntry[] {
  return [...entries].sort((a, b) => compareVersions(b.version, a.version));
}

/** Parses the `ostree=` argument; undefined when it is missing or not in ostree's form. */
export function parseBootTarget(options: string): BootTarget | undefined {
  const karg = parseKargs(options).find((it) => it.startsWith("ostree="));
  const [, bootVersion, stateroot, bootChecksum, index] =
    /^ostree=\/ostree\/boot\.([01])\/([^/]+)\/([^/]+)\/(\d+)$/.exec(karg ?? "") ?? [];
  if (!bootVersion || !stateroot || !bootChecksum || !index) return undefined;
  // These parts become components of a path and must not lead out of it.
  if (stateroot === ".." || bootChecksum === "..") return undefined;
  return { bootVersion, stateroot, bootChecksum, index };
}

/** Like strverscmp(3): runs of digits compare as numbers, everything else compares by bytes. */
function compareVersions(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = comparePart(left[i] ?? "", right[i] ?? "");
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(a: string, b: string): number {
  if (/^\d/.test(a) && /^\d/.test(b) && Number(a) !== Number(b)) return Number(a) - Number(b);
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
