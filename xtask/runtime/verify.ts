// Proves that the packed runtimes are the registry's packages minus their unmapped sections.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { list } from "tar";
import { BootcError } from "../../src/errors.ts";
import { sha256Of } from "../archive/digest.ts";
import type { Tree } from "../task.ts";
import { extractRuntime } from "./extract.ts";
import { readLockedRuntimes } from "./locked.ts";
import { packRuntimes, type RuntimeManifest } from "./pack.ts";

/** Compares everything, then fails and lists all differences. */
export async function verifyRuntimes(tree: Tree): Promise<string> {
  const { path, folder } = await packRuntimes(tree);
  const packed = await readPacked(join(tree.top, path));
  const wanted = new Map<string, string>();
  for (const locked of await readLockedRuntimes(tree.top)) {
    const { runtime, original, stripped, license } = await extractRuntime(tree, locked);
    wanted.set(`${folder}/${runtime.architecture}/bin/node`, sha256Of(stripped));
    wanted.set(`${folder}/${runtime.architecture}/LICENSE`, sha256Of(license));
    requireRecorded(packed.manifest, runtime.architecture, sha256Of(original));
  }
  const paths = new Set([...wanted.keys(), ...packed.files.keys()]);
  const differences = [...paths].filter((it) => wanted.get(it) !== packed.files.get(it));
  if (differences.length === 0) return path;
  throw new BootcError(
    `the packed runtimes differ from their packages: ${differences.join(", ")}`,
    {
      kind: "integrity",
      hint: "remove the cache (`target/cache`, `$BOOTC_CACHE`) and pack them again",
    },
  );
}

interface Packed {
  readonly manifest: RuntimeManifest;
  /** SHA-256 by path, without the manifest's. */
  readonly files: ReadonlyMap<string, string>;
}

async function readPacked(archive: string): Promise<Packed> {
  const contents = new Map<string, Promise<Buffer>>();
  const parser = list({
    strict: true,
    onReadEntry: (entry) => {
      if (entry.type === "Directory") entry.resume();
      else contents.set(entry.path, entry.concat());
    },
  });
  parser.end(zstdDecompressSync(await readFile(archive)));
  const files = new Map<string, string>();
  let manifest: RuntimeManifest | undefined;
  for (const [path, content] of contents) {
    const bytes = await content;
    if (path.endsWith("/runtime.json")) manifest = JSON.parse(bytes.toString()) as RuntimeManifest;
    else files.set(path, sha256Of(bytes));
  }
  if (manifest === undefined) throw new BootcError("the archive contains no `runtime.json`");
  return { manifest, files };
}

function requireRecorded(
  { runtimes }: RuntimeManifest,
  architecture: "x64" | "arm64",
  original: string,
): void {
  if (runtimes[architecture].originalSha256 === original) return;
  throw new BootcError(`\`runtime.json\` gives another digest for \`${architecture}\``, {
    kind: "integrity",
  });
}
