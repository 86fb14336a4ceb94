// Everything inside the executable, with its licence and texts: from the lockfile, or from a vendored set.
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
  /** LICENSE of the runtime. */
  readonly runtimeText: string;
  /** A licence text, by its path in the manifest. */
  readonly readText: (path: string) => Promise<string>;
}

export interface InsideOptions {
  /** An unpacked vendored set: nothing is fetched then. */
  readonly vendored?: string | undefined;
  /** Folder of an unpacked runtime, with `LICENSE` in it. The installed one's when not given. */
  readonly runtime?: string | undefined;
}

/** Reads what is inside. Fails when the runtime's LICENSE has parts nobody has looked at. */
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
  // What fetches is no part of an offline build.
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

/** Packages that are in the executable; what builds it leaves nothing of itself there. */
export function packagesInside({ packages }: VendorManifest): readonly VendoredPackage[] {
  return packages.filter((it) => it.kind === "normal");
}
