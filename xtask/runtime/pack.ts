// Packs the parts of both runtimes that run into one archive, which is half as large as their packages.
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ArchiveEntry, describeWriter, writeArchive } from "../archive/archive.ts";
import { sha256Of } from "../archive/digest.ts";
import { makeOnce } from "../archive/make-once.ts";
import { writeWhole } from "../archive/write-whole.ts";
import type { Tree } from "../task.ts";
import { type ExtractedRuntime, extractRuntime } from "./extract.ts";
import { type Architecture, type LockedRuntime, readLockedRuntimes } from "./locked.ts";

/** A packed runtime and its origin. Digests are SHA-256 in hex. */
export interface RuntimeRecord {
  readonly package: string;
  /** Integrity of the registry's tarball, from the lockfile. */
  readonly integrity: string;
  readonly originalSha256: string;
  readonly originalBytes: number;
  readonly strippedSha256: string;
  readonly strippedBytes: number;
  readonly licenseSha256: string;
}

/** The content of `runtime.json`. */
export interface RuntimeManifest {
  /** Version of Node: `26.10.0`. */
  readonly version: string;
  readonly runtimes: Readonly<Record<Architecture, RuntimeRecord>>;
}

export interface PackedRuntimes {
  /** The archive, relative to the checkout. */
  readonly path: string;
  /**
   * The one folder in the archive. It holds `runtime.json` and, for each architecture,
   * `x64/bin/node`, `x64/LICENSE`, `arm64/bin/node`, `arm64/LICENSE`.
   */
  readonly folder: string;
  readonly manifest: RuntimeManifest;
}

/** The date that npm gives the files of a package; any fixed date would do. */
const MTIME_EPOCH = 499_162_500;

/** The second runtime is within 2^27 bytes of the first, and is mostly the same. */
const COMPRESSION = { format: "tar.zst", level: 19, windowLog: 27 } as const;

/** The code that decides what to extract from a package. When it changes, cached results are remade. */
const CODE = [
  "xtask/elf/read.ts",
  "xtask/elf/write.ts",
  "xtask/elf/drop-sections.ts",
  "xtask/runtime/extract.ts",
  "xtask/runtime/pack.ts",
];

/**
 * Packs the runtimes of the lockfile to `target/node-VERSION-linux.tar.zst`, the same bytes every time.
 * Compression takes a minute, so an archive made from the same packages by the same code is cached.
 */
export async function packRuntimes(tree: Tree): Promise<PackedRuntimes> {
  const locked = await readLockedRuntimes(tree.top);
  const extract = extractOnce(tree, locked);
  const manifest = await readOrMakeManifest(tree, locked, extract);
  const folder = `node-${manifest.version}-linux`;
  const archive = await makeOnce(
    tree,
    { name: folder, suffix: ".tar.zst", inputs: fingerprint(manifest) },
    async (temp) => {
      tree.ctx.note(`compressing ${folder}: about a minute, once`);
      const entries = entriesOf(folder, manifest, await extract());
      await writeArchive(temp, entries, { ...COMPRESSION, ...archiveOptions(tree) });
    },
  );
  const path = join("target", `${folder}.tar.zst`);
  await writeWhole(join(tree.top, path), (temp) => copyFile(archive, temp));
  return { path, folder, manifest };
}

function archiveOptions({ ctx }: Tree) {
  return { mtimeEpoch: MTIME_EPOCH, signal: ctx.signal };
}

type Extract = () => Promise<readonly ExtractedRuntime[]>;

/** Unpacks at most once: none, one or both of the two steps need it. */
function extractOnce(tree: Tree, locked: readonly LockedRuntime[]): Extract {
  let done: Promise<readonly ExtractedRuntime[]> | undefined;
  return () => {
    done ??= Promise.all(locked.map((it) => extractRuntime(tree, it)));
    return done;
  };
}

async function readOrMakeManifest(
  tree: Tree,
  locked: readonly LockedRuntime[],
  extract: Extract,
): Promise<RuntimeManifest> {
  const code = await Promise.all(CODE.map((it) => readFile(join(tree.top, it))));
  const inputs = [...locked.map((it) => it.integrity), ...code.map((it) => sha256Of(it))];
  const path = await makeOnce(tree, { name: "runtimes", suffix: ".json", inputs }, async (temp) => {
    await writeFile(temp, formatManifest(manifestOf(await extract())));
  });
  return JSON.parse(await readFile(path, "utf8")) as RuntimeManifest;
}

function manifestOf(extracted: readonly ExtractedRuntime[]): RuntimeManifest {
  const records = extracted.map(({ runtime, original, stripped, license }) => [
    runtime.architecture,
    {
      package: `${runtime.name}@${runtime.version}`,
      integrity: runtime.integrity,
      originalSha256: sha256Of(original),
      originalBytes: original.length,
      strippedSha256: sha256Of(stripped),
      strippedBytes: stripped.length,
      licenseSha256: sha256Of(license),
    } satisfies RuntimeRecord,
  ]);
  return { version: extracted[0]?.runtime.version ?? "", runtimes: Object.fromEntries(records) };
}

export function formatManifest(manifest: RuntimeManifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

function entriesOf(
  folder: string,
  manifest: RuntimeManifest,
  extracted: readonly ExtractedRuntime[],
): readonly ArchiveEntry[] {
  return [
    file(`${folder}/runtime.json`, Buffer.from(formatManifest(manifest))),
    ...extracted.flatMap(({ runtime: { architecture }, license, stripped }) => [
      file(`${folder}/${architecture}/LICENSE`, license),
      { ...file(`${folder}/${architecture}/bin/node`, stripped), isExecutable: true },
    ]),
  ];
}

function file(path: string, bytes: Uint8Array): ArchiveEntry {
  return { path, content: { kind: "bytes", bytes } };
}

/** What the archive's bytes depend on: the manifest's digests, how tar is written, and the compressor. */
function fingerprint(manifest: RuntimeManifest): readonly string[] {
  return [formatManifest(manifest), JSON.stringify(COMPRESSION), describeWriter()];
}
