// Reads what is inside the executable, with licences and texts, from the lockfile or a vendored set.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { doing } from "../../src/errors.ts";
import { packageOf } from "../runtime/locked.ts";
import type { Tree } from "../task.ts";
import { type Lockfile, type PackageManifest, parseLockfile } from "../vendor/lockfile.ts";
import {
  parseVendorManifest,
  type VendoredPackage,
  type VendorManifest,
} from "../vendor/manifest.ts";
import { requireKnownParts } from "./runtime.ts";

export interface Inside {
  readonly project: PackageManifest;
  readonly lock: Lockfile;
  readonly manifest: VendorManifest;
  /** The runtime's LICENSE. */
  readonly runtimeText: string;
  /** Reads a licence text, by its path in the manifest. */
  readonly readText: (path: string) => Promise<string>;
}

export interface InsideOptions {
  /** An unpacked vendored set, from which nothing has to be fetched. */
  readonly vendored?: string | undefined;
  /** Folder of an unpacked runtime, which contains `LICENSE`; the installed one by default. */
  readonly runtime?: string | undefined;
}

/** Fails if the runtime's LICENSE lists parts that nobody has examined. */
export async function readInside(tree: Tree, options: InsideOptions): Promise<Inside> {
  const runtime = options.runtime ?? join(tree.top, "node_modules", packageOf(hostArchitecture()));
  const runtimeText = await readFile(join(runtime, "LICENSE"), "utf8");
  requireKnownParts(runtimeText);
  const project = JSON.parse(
    await readFile(join(tree.top, "package.json"), "utf8"),
  ) as PackageManifest;
  const packages =
    options.vendored === undefined ? await readFromLock(tree) : await readFolder(options.vendored);
  return { project, runtimeText, ...packages };
}

function hostArchitecture(): "x64" | "arm64" {
  return process.arch === "arm64" ? "arm64" : "x64";
}

type Packages = Pick<Inside, "lock" | "manifest" | "readText">;

async function readFromLock(tree: Tree): Promise<Packages> {
  // An offline build does not contain the code that fetches.
  const { readVendoredSet } = await import("../vendor.ts");
  const { set, lock } = await readVendoredSet(tree);
  const texts = new Map(
    set.entries.flatMap(({ path, content }) =>
      content.kind === "bytes" ? [[path, Buffer.from(content.bytes).toString("utf8")]] : [],
    ),
  );
  return { lock, manifest: set.manifest, readText: async (path) => texts.get(path) ?? "" };
}

async function readFolder(folder: string): Promise<Packages> {
  return await doing(`reading the vendored set \`${folder}\``, async () => {
    const read = (path: string) => readFile(join(folder, path), "utf8");
    return {
      lock: parseLockfile(await read("package-lock.json")),
      manifest: parseVendorManifest(await read("manifest.json")),
      readText: read,
    };
  });
}

/** The packages in the executable. Those that only build it leave nothing of themselves in it. */
export function packagesInside({ packages }: VendorManifest): readonly VendoredPackage[] {
  return packages.filter((it) => it.kind === "normal");
}
