// Which versions of Node the configured registry has for both architectures: we can only pin one of these.
import { BootcError, doing } from "../../src/errors.ts";
import type { Tree } from "../task.ts";
import { ARCHITECTURES, packageOf } from "./locked.ts";

/** The oldest major version that can be our runtime. */
const MAJOR_MIN = 24;

/** For each architecture, the versions of its package as the registry lists them. */
export type Available = Readonly<Record<string, readonly string[]>>;

/** Asks npm, whose configuration decides about the registry and the credentials. */
export async function readAvailable({ ctx, top }: Tree): Promise<Available> {
  const lists = ARCHITECTURES.map(async (architecture) => {
    const name = packageOf(architecture);
    const versions = await doing(`asking for the versions of \`${name}\``, async () =>
      parseVersions(await ctx.read("npm", ["view", name, "versions", "--json"], { cwd: top })),
    );
    return [architecture, versions];
  });
  return Object.fromEntries(await Promise.all(lists));
}

function parseVersions(text: string): readonly string[] {
  const value: unknown = JSON.parse(text);
  const versions = Array.isArray(value) ? value : [value];
  const odd = versions.find((it) => typeof it !== "string");
  if (odd !== undefined) throw new BootcError("npm printed something other than versions");
  return versions;
}

/** One line per major version: the newest version of each architecture, and the newest of both. */
export function describeAvailable(available: Available, pinned: string): string {
  const released = Object.fromEntries(
    Object.entries(available).map(([name, versions]) => [name, versions.filter(isReleased)]),
  );
  const [first = [], ...others] = Object.values(released);
  const common = first.filter((it) => others.every((versions) => versions.includes(it)));
  const majors = new Set(Object.values(released).flat().map(majorOf));
  const rows = [...majors]
    .filter((it) => it >= MAJOR_MIN)
    .sort((a, b) => b - a)
    .map((major) => [
      String(major),
      ...Object.values(released).map((versions) => newestOf(versions, major)),
      newestOf(common, major),
    ]);
  const newest = newestOf(common, majorOf(pinned));
  const verdict = newest === pinned ? ", the newest of its line for both" : `, not ${newest}`;
  return [
    formatRow(["line", ...Object.keys(available), "both"]),
    ...rows.map(formatRow),
    `pinned: ${pinned}${verdict}`,
  ].join("\n");
}

function formatRow(cells: readonly string[]): string {
  return cells
    .map((it) => it.padEnd(10))
    .join("")
    .trimEnd();
}

function isReleased(version: string): boolean {
  return /^\d+\.\d+\.\d+$/.test(version);
}

function majorOf(version: string): number {
  return Number(version.split(".", 1)[0]);
}

function newestOf(versions: readonly string[], major: number): string {
  const sorted = versions
    .filter((it) => majorOf(it) === major)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return sorted.at(-1) ?? "-";
}
