// The runtime that the lockfile pins: one version of Node for both architectures, by digest.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";

/** Node's names of the architectures that we make packages for. */
export const ARCHITECTURES = ["x64", "arm64"] as const;

export type Architecture = (typeof ARCHITECTURES)[number];

/** A runtime's package in the registry. */
export interface LockedRuntime {
  readonly architecture: Architecture;
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

export function isArchitecture(text: string): text is Architecture {
  return (ARCHITECTURES as readonly string[]).includes(text);
}

export function packageOf(architecture: Architecture): string {
  return `node-linux-${architecture}`;
}

/** Both runtimes in the lockfile below `top`, x64 first. */
export async function readLockedRuntimes(top: string): Promise<readonly LockedRuntime[]> {
  const text = await readFile(join(top, "package-lock.json"), "utf8");
  return await doing("reading package-lock.json", async () => parseLockedRuntimes(text));
}

export function parseLockedRuntimes(text: string): readonly LockedRuntime[] {
  const { packages } = JSON.parse(text) as Lock;
  const runtimes = ARCHITECTURES.map((architecture) => {
    const name = packageOf(architecture);
    const { version, integrity } = packages?.[`node_modules/${name}`] ?? {};
    if (version !== undefined && integrity !== undefined) {
      return { architecture, name, version, integrity };
    }
    throw new BootcError(`the lockfile pins no \`${name}\``, {
      hint: "run `npm install --package-lock-only`",
    });
  });
  requireOneVersion(runtimes);
  return runtimes;
}

interface Lock {
  readonly packages?: Readonly<
    Record<string, { readonly version?: string; readonly integrity?: string }>
  >;
}

function requireOneVersion(runtimes: readonly LockedRuntime[]): void {
  if (new Set(runtimes.map((it) => it.version)).size === 1) return;
  const versions = runtimes.map((it) => `${it.name} ${it.version}`).join(", ");
  throw new BootcError(`the runtimes differ in version: ${versions}`, {
    hint: "`npm run xtask runtime check` lists the versions that exist for both",
  });
}
